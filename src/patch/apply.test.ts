// Strict application: what matches, and the reason for each kind of mismatch.

import assert from "node:assert/strict";
import { test } from "node:test";
import { randomEdit, randomText } from "../../test/texts.ts";
import { createRandom } from "../base/random.ts";
import { applyPatch } from "./apply.ts";
import { createPatch } from "./create.ts";
import type { Patch } from "./hunk.ts";
import { parsePatch } from "./parse.ts";

function patchOf(body: string): Patch {
  const result = parsePatch(`--- a/f\n+++ b/f\n${body}`);
  assert.ok(result.ok, result.ok ? "" : result.reason);
  return result.value[0]!;
}

const ONE = patchOf("@@ -2,2 +2,2 @@\n-b\n+B\n c\n");

test("replaces at the stated line, keeping everything else byte for byte", () => {
  assert.deepEqual(applyPatch(ONE, "a\r\nb\nc\n\n"), { ok: true, value: "a\r\nB\nc\n\n" });
});

const MISMATCHES: readonly (readonly [name: string, patch: Patch, old: string | null, reason: string])[] = [
  ["another line", ONE, "a\nx\nc\n", 'hunk 1: expected line 2 to be "b", found "x"'],
  ["a line that only starts so", ONE, "a\nbb\nc\n", 'hunk 1: expected line 2 to be "b", found "bb"'],
  ["a carriage return", ONE, "a\nb\r\nc\n", 'hunk 1: expected line 2 to be "b", found "b\\r"'],
  ["the end inside", ONE, "a\nb\n", 'hunk 1: expected line 3 to be "c", found the end of the file'],
  ["the end before", ONE, "", "hunk 1: starts at line 2, but the file has 0 lines"],
  ["no newline", ONE, "a\nb\nc", "hunk 1: expected line 3 to have a newline at its end"],
  ["no file", ONE, null, "there is no file to modify"],
  [
    "text behind a line without a newline",
    patchOf("@@ -1,0 +2 @@\n+b\n\\ No newline at end of file\n"),
    "a\nc\n",
    "text would follow a line that has no newline",
  ],
];

for (const [name, patch, old, reason] of MISMATCHES) {
  test(`refuses: ${name}`, () => assert.deepEqual(applyPatch(patch, old), { ok: false, reason }));
}

test("whole files", () => {
  const create: Patch = { kind: "create", path: "f", mode: "100644", hunks: [] };
  const remove: Patch = { kind: "delete", path: "f", mode: "100644", hunks: [] };
  assert.deepEqual(applyPatch(create, null), { ok: true, value: "" });
  assert.equal(applyPatch(create, "").ok, false);
  assert.deepEqual(applyPatch(remove, ""), { ok: true, value: null });
  assert.equal(applyPatch(remove, "left\n").ok, false);
  assert.equal(applyPatch({ kind: "binary", path: "f" }, "").ok, false);
});

test("createPatch and applyPatch undo each other's work in 2,000 random pairs", () => {
  const random = createRandom(3);
  for (let round = 0; round < 2000; round++) {
    const old = randomText(random);
    const next = randomEdit(random, old);
    const patch = createPatch({ path: "f", old, new: next, context: random.below(4) });
    assert.deepEqual(applyPatch(patch, old), { ok: true, value: next });
  }
});

test("a small patch of a file of 1 MB takes little time", () => {
  const old = Array.from({ length: 30000 }, (_, i) => `this is line number ${i} of the file\n`).join("");
  const patch = createPatch({ path: "f", old, new: old.replace("number 29000 ", "") });
  const times = Array.from({ length: 10 }, () => {
    const start = performance.now();
    assert.ok(applyPatch(patch, old).ok);
    return performance.now() - start;
  });
  assert.ok(Math.min(...times) < 50, `${Math.min(...times)} ms`);
});
