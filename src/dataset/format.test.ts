// The answer formats: nothing is lost on the way from a patch to an answer and back, and answers that mean no
// change of the file are refused with a reason. Prompts and answers are held as text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { randomEdit, randomPath, randomText } from "../../test/texts.ts";
import { createRandom, type Random } from "../base/random.ts";
import { applyPatch } from "../patch/apply.ts";
import { createPatch } from "../patch/create.ts";
import { printPatch } from "../patch/print.ts";
import { blobId } from "./blob.ts";
import type { Example } from "./example.ts";
import { answerOf, formats } from "./format.ts";
import { type Request, requestOf } from "./request.ts";
import { checkRoundTrip } from "./roundtrip.ts";

type Change = Parameters<typeof createPatch>[0];

function exampleOf(change: Change, message = "Change it\n"): Example {
  return {
    message,
    path: change.from ?? change.path,
    old: change.old,
    diff: printPatch(createPatch(change)),
    commit: "c0",
    parent: null,
    time: 0,
    author: "A",
    weight: 1,
  };
}

function randomChange(random: Random): Change {
  const path = randomPath(random);
  const old = randomText(random);
  const edited = randomEdit(random, old);
  const next = edited === old ? `new first line\n${old}` : edited;
  const context = random.below(4);
  switch (random.below(8)) {
    case 0:
      return { path, old: null, new: old, mode: random.below(2) === 0 ? "100644" : "100755" };
    case 1:
      return { path, old, new: null };
    case 2:
      return { path: `${path} 2`, from: path, old, new: old };
    case 3:
      return { path: `${path} 2`, from: path, old, new: next, context };
    default:
      return { path, old, new: next, context };
  }
}

test("2,000 random changes come back from every format byte for byte", () => {
  const random = createRandom(21);
  for (let round = 0; round < 2000; round++) {
    const change = randomChange(random);
    const example = exampleOf(change);
    const blob = change.new === null ? null : { oid: blobId(change.new, "sha1"), algorithm: "sha1" as const };
    const result = checkRoundTrip(example, blob);
    assert.ok(result.ok, `${result.ok ? "" : result.reason}\n${example.diff}`);
    for (const format of Object.values(formats)) {
      const answer = answerOf(format, example);
      const patches = answer.ok ? format.parse(answer.value, requestOf(example)) : answer;
      assert.ok(patches.ok, patches.ok ? "" : patches.reason);
      const [patch, ...rest] = patches.value;
      assert.equal(rest.length, 0);
      assert.deepEqual(applyPatch(patch!, change.old), { ok: true, value: change.new });
      assert.equal(patch!.kind, result.value.patch.kind);
    }
  }
});

const CHANGE: Change = {
  path: "src/a b.js",
  old: "// first\nconst a = 1;\r\n@decorated\n\nexport { a };\nend",
  new: "// first\nconst a = 2;\r\n\n@other\n\\x\nexport { a };\nend of it",
};
const EXAMPLE = exampleOf(CHANGE, "\nRaise a\n\nIt was too low\n\n");

test("prompt and answer of the region format", () => {
  assert.equal(
    formats.region.prompt(requestOf(EXAMPLE)),
    `File: src/a b.js
1|// first
2|const a = 1;\r
3|@decorated
4|
5|export { a };
6|end
\\ No newline at end of file
Message: Raise a

It was too low
Change:
`,
  );
  assert.deepEqual(answerOf(formats.region, EXAMPLE), {
    ok: true,
    value: `@2,2
const a = 2;\r
@5,0
\\@other
\\\\x
@6,1
end of it
\\ No newline at end of file
`,
  });
});

test("prompt and answer of the diff format", () => {
  assert.equal(
    formats.diff.prompt(requestOf(EXAMPLE)),
    `Message: Raise a

It was too low
File: src/a b.js
// first
const a = 1;\r
@decorated

export { a };
end
\\ No newline at end of file
Diff:
`,
  );
  const diff = EXAMPLE.diff.replace("--- ", "index 1111111..2222222 100644\n--- ");
  assert.deepEqual(answerOf(formats.diff, { ...EXAMPLE, diff }), {
    ok: true,
    value: `diff --git a/src/a b.js b/src/a b.js
--- a/src/a b.js\t
+++ b/src/a b.js\t
@@ -1,6 +1,7 @@
 // first
-const a = 1;\r
-@decorated
+const a = 2;\r
 
+@other
+\\x
 export { a };
-end
\\ No newline at end of file
+end of it
\\ No newline at end of file
`,
  });
});

/** A request of one file, shown whole. */
function asking(path: string, old: string | null, message = ""): Request {
  return { message, files: [{ path, old, role: "change", shown: "all" }] };
}

test("prompts of a file to create, and of an empty one", () => {
  const request = asking("new", null, "Add it");
  assert.equal(formats.region.prompt(request), "New file: new\nMessage: Add it\nChange:\n");
  assert.equal(formats.region.prompt(asking("new", "", "Add it")), "File: new\nMessage: Add it\nChange:\n");
  assert.equal(formats.diff.prompt(request), "Message: Add it\nNew file: new\nDiff:\n");
});

test("region answers of whole files and renames", () => {
  const regionOf = (change: Change) => answerOf(formats.region, exampleOf(change));
  const made = regionOf({ path: "f", old: null, new: "@a\nb", mode: "100755" });
  assert.deepEqual(made, { ok: true, value: "@create 100755\n\\@a\nb\n\\ No newline at end of file\n" });
  assert.deepEqual(regionOf({ path: "f", old: null, new: "" }), { ok: true, value: "@create 100644\n" });
  assert.deepEqual(regionOf({ path: "f", old: "a\n", new: null }), { ok: true, value: "@delete\n" });
  assert.deepEqual(regionOf({ path: "g", from: "f", old: "a\nb\n", new: "a\nb\nc\n" }), {
    ok: true,
    value: "@rename g\n@3,0\nc\n",
  });
});

const INEXPRESSIBLE: readonly (readonly [reason: string, diff: string])[] = [
  ["mode change", "diff --git a/f b/f\nold mode 100644\nnew mode 100755\n"],
  ["copy", "diff --git a/f b/g\nsimilarity index 100%\ncopy from f\ncopy to g\n"],
  ["binary", "diff --git a/f b/f\nindex 1111111..2222222 100644\nBinary files a/f and b/f differ\n"],
  ["symlink", "diff --git a/f b/f\nnew file mode 120000\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n"],
  ["symlink", "diff --git a/f b/f\nindex 1111111..2222222 120000\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n"],
  ["submodule", "diff --git a/f b/f\nindex 1111111..2222222 160000\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n"],
];

for (const [reason, diff] of INEXPRESSIBLE) {
  test(`the region format has no answer for: ${reason} (${diff.length})`, () => {
    assert.deepEqual(answerOf(formats.region, { ...EXAMPLE, path: "f", diff }), { ok: false, reason });
  });
}

const THREE = "a\nb\nc";
const ANSWERS: readonly (readonly [answer: string, result: string | RegExp])[] = [
  ["@2,1\nB\n", "a\nB\nc"],
  ["@2,1\nB", "a\nB\nc"],
  ["@1,0\nz\n", "z\na\nb\nc"],
  ["@4,0\nd\n", "a\nb\nc\nd\n"],
  ["@4,0\nd\n\\ No newline at end of file\n", "a\nb\nc\nd"],
  ["@1,3\n", ""],
  ["@1,1\n@3,1\nC\n\\ No newline at end of file\n", "b\nC"],
  ["@3,1\nc\n", "a\nb\nc\n"],
  ["@1,1\n@2,1\nB\n", "B\nc"],
  ["", /^empty answer$/],
  ["Sure!\n", /^line 1: expected a directive/],
  ["@2,1\nb\n", /^the answer changes nothing$/],
  ["@2,1\r\nB\n", /^line 1: expected @FIRST,COUNT$/],
  ["@0,1\nB\n", /^line 1: lines are counted from 1$/],
  ["@3,2\nB\n", /^out of range, the file has 3 lines$/],
  ["@5,0\nB\n", /^out of range, the file has 3 lines$/],
  ["@2,2\nB\n@3,1\nC\n", /^overlaps the edit before it/],
  ["@3,1\nB\n@1,1\nC\n", /^overlaps the edit before it/],
  ["@1,1\nB\n\\ No newline at end of file\n", /^an added line without a newline is not the last/],
  ["@3,1\nC\n\\ No newline at end of file\nD\n", /^line 4: text behind a line without a newline$/],
  ["@3,1\n\\ No newline at end of file\n", /^line 2: no line that could lack its newline$/],
  ["@1,1\n\\x\n", /^line 2: a backslash before neither/],
  ["@create 100644\nB\n", /^the file to create is already there$/],
  ["@create 120000\nB\n", /^line 1: expected @create 100644/],
  ["@delete\n@1,1\n", /^line 2: text behind @delete$/],
  ["@rename ../x\n", /^line 1: an unsafe path$/],
  ["@rename f\n", /^line 1: the new path is the old one$/],
  ["@rename g\nB\n", /^line 2: expected a directive behind @rename$/],
  ["@swap 1\n", /^line 1: expected @FIRST,COUNT$/],
];

for (const [answer, wanted] of ANSWERS) {
  test(`region answer ${JSON.stringify(answer)}`, () => {
    const patches = formats.region.parse(answer, asking("f", THREE));
    const result = patches.ok ? applyPatch(patches.value[0]!, THREE) : patches;
    if (typeof wanted === "string") assert.deepEqual(result, { ok: true, value: wanted });
    else assert.match(result.ok ? `taken: ${result.value}` : result.reason, wanted);
  });
}

test("without a file only @create is taken", () => {
  const request = asking("f", null);
  assert.deepEqual(formats.region.parse("@create 100644\n\n", request), {
    ok: true,
    value: [createPatch({ path: "f", old: null, new: "\n" })],
  });
  for (const answer of ["@1,0\na\n", "@delete\n", "@rename g\n"]) {
    assert.deepEqual(formats.region.parse(answer, request), {
      ok: false,
      reason: "there is no file to change",
    });
  }
});

test("the diff format mends what needs no guess and refuses the rest", () => {
  const request = asking("f", THREE);
  const parse = (answer: string) => formats.diff.parse(answer, request);
  const wanted = createPatch({ path: "f", old: THREE, new: "a\nB\nc" });
  assert.deepEqual(parse(printPatch(wanted)), { ok: true, value: [wanted] });
  assert.deepEqual(parse("--- a/other\n+++ b/other\n@@ -7 +7 @@\n-b\n+B"), { ok: true, value: [wanted] });
  assert.equal(parse(printPatch(wanted) + printPatch(wanted)).ok, false);
  assert.equal(parse("@@ -1 +1 @@\n-x\n+y\n").ok, false);
});

test("mutated answers never throw, and what is taken changes the file", () => {
  const random = createRandom(8);
  const pieces = ["@1,1\n", "@", "\\", "\n", "1", ",", "@delete\n", "@@ -1 +1 @@\n", "-a\n", "+b\n"];
  let taken = 0;
  for (let round = 0; round < 3000; round++) {
    const format = round % 2 === 0 ? formats.region : formats.diff;
    const answer = answerOf(format, EXAMPLE);
    assert.ok(answer.ok);
    const at = random.below(answer.value.length);
    const piece = pieces[random.below(pieces.length)]!;
    const text = answer.value.slice(0, at) + piece + answer.value.slice(at + random.below(8));
    const patches = format.parse(text, requestOf(EXAMPLE));
    if (!patches.ok) continue;
    taken++;
    const result = applyPatch(patches.value[0]!, EXAMPLE.old);
    assert.ok(result.ok && result.value !== EXAMPLE.old);
  }
  assert.ok(taken > 100, `${taken} taken`);
});
