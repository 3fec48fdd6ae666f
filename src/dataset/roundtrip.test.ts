// Each way in which an example can fail its round trip has its own name.

import assert from "node:assert/strict";
import { test } from "node:test";
import { blobId } from "./blob.ts";
import type { Example } from "./example.ts";
import { answerOf, formats } from "./format.ts";
import { isSameDiff } from "./raw-diff.ts";
import { checkRoundTrip } from "./roundtrip.ts";

const GOOD: Example = {
  message: "m\n",
  path: "f",
  old: "a\n",
  diff: "diff --git a/f b/f\nindex 7898192..6178079 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n",
  commit: "c",
  parent: null,
  time: 0,
  author: "A",
  weight: 1,
};
const BLOB = { oid: "61780798228d17af2d34fce4cfbdf35556832472", algorithm: "sha1" } as const;

test("hashes are git's", () => {
  assert.equal(blobId("", "sha1"), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  assert.equal(blobId("b\n", "sha1"), BLOB.oid);
  assert.equal(blobId("", "sha256"), "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813");
});

test("what one format alone can express is sound", () => {
  for (const [diff, old] of [
    [MODES, "b\n"],
    [MODES + GOOD.diff.slice(GOOD.diff.indexOf("--- ")), "a\n"],
  ] as const) {
    const example = { ...GOOD, old, diff };
    const result = checkRoundTrip(example, BLOB);
    assert.ok(result.ok, result.ok ? "" : result.reason);
    assert.deepEqual(answerOf(formats.region, example), { ok: false, reason: "mode change" });
    assert.deepEqual(answerOf(formats.diff, example), { ok: true, value: diff });
  }
});

test("a raw diff answer is held against its diff without reading it again", () => {
  const result = checkRoundTrip(GOOD, BLOB);
  assert.ok(result.ok);
  const wanted = { patch: result.value.patch, diff: GOOD.diff };
  const answer = GOOD.diff.replace(/index .*\n/, "");
  assert.equal(isSameDiff(answer, wanted), true);
  for (const [from, to] of [
    ["+b", "+c"],
    ["b/f", "b/g"],
    ["-a\n", ""],
    ["--- a/f", "old mode 100644\nnew mode 100755\n--- a/f"],
    ["--- a/f", "deleted file mode 100644\n--- a/f"],
  ] as const) {
    assert.equal(isSameDiff(answer.replace(from, to), wanted), false, from);
  }
});

test("a sound example gives its patch and what it makes", () => {
  const result = checkRoundTrip(GOOD, BLOB);
  assert.ok(result.ok);
  assert.deepEqual([result.value.patch.kind, result.value.after?.toString()], ["modify", "b\n"]);
});

const MODES = "diff --git a/f b/f\nold mode 100644\nnew mode 100755\n";
const LINK = "diff --git a/f b/f\nnew file mode 120000\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+b\n";
const FAILURES: readonly (readonly [example: Example, blob: typeof BLOB | null, reason: RegExp])[] = [
  [{ ...GOOD, diff: GOOD.diff.slice(0, -1) }, BLOB, /^parse: line 7: the last line has no newline$/],
  [{ ...GOOD, diff: GOOD.diff + GOOD.diff }, BLOB, /^parse: a diff of 2 files$/],
  [{ ...GOOD, path: "g" }, BLOB, /^parse: a diff of another path$/],
  [{ ...GOOD, old: "c\n" }, BLOB, /^apply: hunk 1: expected line 1 to be "a", found "c"$/],
  [GOOD, { ...BLOB, oid: "0".repeat(40) as typeof BLOB.oid }, /^blob: /],
  [GOOD, null, /^blob: /],
  [{ ...GOOD, old: null, diff: LINK }, BLOB, /^region: symlink$/],
];

for (const [example, blob, reason] of FAILURES) {
  test(`fails with ${reason.source}`, () => {
    const result = checkRoundTrip(example, blob);
    assert.match(result.ok ? "sound" : result.reason, reason);
  });
}
