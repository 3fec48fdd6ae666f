// Diffs as models write them: wrong numbers, no headers, no `@@` lines; and the ones that must be refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { randomEdit, randomText } from "../../test/texts.ts";
import { createRandom } from "../base/random.ts";
import { applyPatch } from "./apply.ts";
import { createPatch } from "./create.ts";
import { printPatch } from "./print.ts";
import { repairPatch } from "./repair.ts";

const OLD = "one\ntwo\nthree\nsame\nfour\nsame\nfive";

function mended(text: string, old: string | null = OLD): string | null {
  const patch = repairPatch(text, { path: "f", old });
  assert.ok(patch.ok, patch.ok ? "" : patch.reason);
  const result = applyPatch(patch.value, old);
  assert.ok(result.ok, result.ok ? "" : result.reason);
  return result.value;
}

const MENDED: readonly (readonly [name: string, text: string, want: string])[] = [
  ["wrong numbers", "@@ -90,7 +2 @@\n two\n-three\n+3\n", OLD.replace("three", "3")],
  ["no numbers", "@@ ... @@\n-three\n+3\n", OLD.replace("three", "3")],
  ["no @@ line", "--- a/wrong\n+++ b/wrong\n-three\n+3\n", OLD.replace("three", "3")],
  ["no final newline", "@@ -3 +3 @@\n-three\n+3", OLD.replace("three", "3")],
  ["the stated place decides", "@@ -6 +6 @@\n-same\n+other\n", OLD.replace("same\nfive", "other\nfive")],
  ["in order", "@@ @@\n-four\n+4\n@@ @@\n-same\n+other\n", "one\ntwo\nthree\nsame\n4\nother\nfive"],
  ["behind the last line", "@@ @@\n five\n+six\n", `${OLD}\nsix\n`],
  ["newline added", "@@ @@\n-five\n+five\n", `${OLD}\n`],
  ["newline kept off", "@@ @@\n-five\n+5\n\\ No newline at end of file\n", OLD.replace("five", "5")],
];

for (const [name, text, want] of MENDED) test(`mends: ${name}`, () => assert.equal(mended(text), want));

test("whole files and renames", () => {
  assert.equal(mended("--- /dev/null\n+++ b/f\n@@ -0,0 +9,9 @@\n+a\n+b\n", null), "a\nb\n");
  assert.equal(mended("diff --git a/f b/f\ndeleted file mode 100644\n@@ -1 +0 @@\n-a\n", "a\n"), null);
  const rename = repairPatch("diff --git a/x b/y\nrename from x\nrename to g h\n", { path: "f", old: "a\n" });
  assert.deepEqual(rename, { ok: true, value: { kind: "rename", from: "f", path: "g h", hunks: [] } });
});

const REFUSED: readonly (readonly [name: string, text: string, reason: RegExp])[] = [
  [
    "ambiguous",
    "@@ -1 +1 @@\n-same\n+other\n",
    /^the hunk at line 1 is ambiguous: its old text stands at lines 4 and 6$/,
  ],
  ["not there", "@@ -1 +1 @@\n-seven\n+7\n", /has old text that the file does not have/],
  [
    "out of order",
    "@@ @@\n-four\n+4\n@@ @@\n-two\n+2\n",
    /^the hunk at line 4 has old text that the file does not have there/,
  ],
  ["no place", "@@ @@\n+new\n", /has no old lines and no place/],
  [
    "chatter",
    "@@ -1 +1 @@\n-one\n+1\n```\n",
    /^line 4: expected a line that starts with a space, \+ or -, found "```"$/,
  ],
  ["no change", "@@ -1 +1 @@\n-one\n+one\n", /^the answer changes nothing$/],
  ["prose only", "I would change nothing\n", /^no hunk found$/],
  ["create over a file", "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n", /already there/],
  [
    "early end",
    "@@ -1 +1 @@\n-one\n+1\n\\ No newline at end of file\n",
    /^an added line without a newline is not the last/,
  ],
];

for (const [name, text, reason] of REFUSED) {
  test(`refuses: ${name}`, () => {
    const result = repairPatch(text, { path: "f", old: OLD });
    assert.match(result.ok ? "mended" : result.reason, reason);
  });
}

test("good diffs come through unchanged in effect; those without numbers, or not at all", () => {
  const random = createRandom(5);
  let mendedBlind = 0;
  for (let round = 0; round < 1000; round++) {
    const old = randomText(random);
    const next = randomEdit(random, old);
    if (old === next) continue;
    const diff = printPatch(createPatch({ path: "f", old, new: next }));
    assert.equal(mended(diff, old), next, diff);
    const blind = repairPatch(diff.replace(/^@@ .*/gm, "@@ @@"), { path: "f", old });
    if (blind.ok) mendedBlind++;
    if (blind.ok) assert.ok(applyPatch(blind.value, old).ok);
  }
  assert.ok(mendedBlind > 500, `${mendedBlind} mended`);
});
