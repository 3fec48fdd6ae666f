// Printed patches against git itself: `git apply` must take them and make the same bytes as `applyPatch`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { randomEdit, randomPath, randomText } from "../../test/texts.ts";
import { createRandom, type Random } from "../base/random.ts";
import { applyPatch } from "./apply.ts";
import { createPatch } from "./create.ts";
import type { Patch } from "./hunk.ts";
import { parsePatch } from "./parse.ts";
import { printPatch } from "./print.ts";

const ENV = { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", LC_ALL: "C" };

function withRepository(body: (folder: string, git: (...args: string[]) => string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-patch-"));
  try {
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", folder, ...args], { env: ENV, encoding: "utf8", stdio: "pipe" });
    git("init", "--quiet");
    body(folder, git);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Case = { readonly old: string | null; readonly patch: Patch };

/** One change of a file in a folder of its own: modify, create, delete or rename. */
function randomCase(random: Random, folder: string): Case {
  const path = `${folder}/${randomPath(random)}`;
  const old = randomText(random);
  switch (random.below(6)) {
    case 0:
      return { old: null, patch: createPatch({ path, old: null, new: old, mode: "100755" }) };
    case 1:
      return { old, patch: createPatch({ path, old, new: null }) };
    case 2:
      return { old, patch: createPatch({ path: `${path} 2`, from: path, old, new: old }) };
    case 3:
      return {
        old,
        patch: createPatch({ path: `${path} 2`, from: path, old, new: randomEdit(random, old) }),
      };
    default: {
      const edited = randomEdit(random, old);
      return { old, patch: createPatch({ path, old, new: edited === old ? `${old}\nmore` : edited }) };
    }
  }
}

test("git apply makes the same bytes as applyPatch, 400 random changes", () => {
  withRepository((folder, git) => {
    const random = createRandom(1);
    const cases = Array.from({ length: 400 }, (_, i) => randomCase(random, `${i}`));
    for (const { old, patch } of cases) {
      const before = join(folder, "from" in patch ? patch.from : patch.path);
      mkdirSync(dirname(join(folder, patch.path)), { recursive: true });
      mkdirSync(dirname(before), { recursive: true });
      if (old !== null) writeFileSync(before, old);
    }
    writeFileSync(join(folder, "all.diff"), cases.map(({ patch }) => printPatch(patch)).join(""));
    git("apply", "--whitespace=nowarn", "all.diff");
    for (const { old, patch } of cases) {
      const result = applyPatch(patch, old);
      assert.ok(result.ok, result.ok ? "" : result.reason);
      const path = join(folder, patch.path);
      assert.equal(existsSync(path) ? readFileSync(path, "utf8") : null, result.value, printPatch(patch));
      if ("from" in patch) assert.ok(!existsSync(join(folder, patch.from)));
    }
  });
});

test("a printed patch is read back as it was, 1,000 random changes", () => {
  const random = createRandom(2);
  for (let round = 0; round < 1000; round++) {
    const { patch } = randomCase(random, "d");
    assert.deepEqual(parsePatch(printPatch(patch)), { ok: true, value: [patch] });
  }
});

test("mode changes and whole files, as text", () => {
  const create: Patch = { kind: "create", path: "empty é", mode: "100644", hunks: [] };
  assert.equal(printPatch(create), "diff --git a/empty é b/empty é\nnew file mode 100644\n");
  const mode: Patch = { kind: "modify", path: 'a"b', oldMode: "100644", newMode: "100755", hunks: [] };
  assert.equal(printPatch(mode), 'diff --git "a/a\\"b" "b/a\\"b"\nold mode 100644\nnew mode 100755\n');
  assert.equal(
    printPatch(createPatch({ path: "x y", old: null, new: "1" })),
    "diff --git a/x y b/x y\nnew file mode 100644\n--- /dev/null\n+++ b/x y\t\n@@ -0,0 +1 @@\n+1\n\\ No newline at end of file\n",
  );
});
