// Computed patches against git's own: as few changed lines, the same hunks where the choice is forced; and git's
// diffs, parsed and applied, give git's bytes.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { randomEdit, randomText } from "../../test/texts.ts";
import { createRandom } from "../base/random.ts";
import { applyPatch } from "./apply.ts";
import { createPatch } from "./create.ts";
import type { Hunk } from "./hunk.ts";
import { parsePatch } from "./parse.ts";
import { printPatch } from "./print.ts";

type Pair = { readonly old: string; readonly new: string };

/** git's diff of two folders that hold one numbered file for each pair. */
function gitDiff(pairs: readonly Pair[], ...options: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-create-"));
  try {
    for (const side of ["a", "b"]) mkdirSync(join(folder, side));
    for (const [i, pair] of pairs.entries()) {
      writeFileSync(join(folder, "a", `${i}`), pair.old);
      writeFileSync(join(folder, "b", `${i}`), pair.new);
    }
    const env = { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" };
    const args = ["diff", "--no-index", "--no-prefix", "--no-renames", ...options, "a", "b"];
    const run = spawnSync("git", args, { cwd: folder, env, encoding: "utf8", maxBuffer: 1 << 28 });
    assert.equal(run.status, 1, run.stderr);
    return run.stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function randomPairs(seed: number, count: number): Pair[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const old = randomText(random, 40);
    return { old, new: randomEdit(random, old) };
  }).filter((pair) => pair.old !== pair.new);
}

function changed(hunks: readonly Hunk[]): number {
  return hunks.flatMap((hunk) => hunk.lines).filter((line) => line.kind !== "context").length;
}

for (const options of [["--minimal"], ["--histogram", "-U0"], ["-U10"]]) {
  test(`git diff ${options.join(" ")}: parsed, applied, and no shorter than ours`, () => {
    const pairs = randomPairs(options.length, 300);
    const patches = parsePatch(gitDiff(pairs, ...options));
    assert.ok(patches.ok, patches.ok ? "" : patches.reason);
    assert.equal(patches.value.length, pairs.length);
    for (const patch of patches.value) {
      assert.equal(patch.kind, "modify");
      const pair = pairs[Number(patch.path)]!;
      assert.deepEqual(applyPatch(patch, pair.old), { ok: true, value: pair.new });
      const ours = createPatch({ path: patch.path, ...pair });
      assert.ok("hunks" in patch && "hunks" in ours);
      const [theirs, own] = [changed(patch.hunks), changed(ours.hunks)];
      assert.ok(own <= theirs, `${own} lines where git has ${theirs}`);
      if (options[0] === "--minimal") assert.equal(own, theirs);
    }
  });
}

test("hunks are cut and joined where git does it", () => {
  const old = Array.from({ length: 60 }, (_, i) => `line ${i}\n`);
  const edit = (...at: number[]) => old.map((line, i) => (at.includes(i) ? `new ${i}\n` : line)).join("");
  const pairs = [
    [5, 12],
    [5, 13],
    [0, 59],
    [3, 30],
    [1, 2, 9, 17],
  ].map((at) => ({
    old: old.join(""),
    new: edit(...at),
  }));
  const ours = pairs.map((pair, i) => printPatch(createPatch({ path: `${i}`, ...pair }))).join("");
  const theirs = gitDiff(pairs)
    .replace(/^index .*\n/gm, "")
    .replace(/^(@@ [^@]* @@).*$/gm, "$1");
  assert.equal(ours, theirs.replace(/^diff --git a\/(\d+) b/gm, "diff --git a/$1 b"));
});

test("texts with nothing in common are replaced whole, in little time", () => {
  const lines = (name: string) => Array.from({ length: 8000 }, (_, i) => `${name} ${i}\n`).join("");
  const pair = { old: lines("old"), new: lines("new") };
  const start = performance.now();
  const patch = createPatch({ path: "f", ...pair });
  assert.ok(performance.now() - start < 10_000);
  assert.deepEqual(applyPatch(patch, pair.old), { ok: true, value: pair.new });
});
