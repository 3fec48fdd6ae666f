// What the strict parser reads and what it refuses, with the reason; and that mutated diffs never make it throw.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import type { Patch } from "./hunk.ts";
import { parsePatch } from "./parse.ts";

function parsed(text: string): readonly Patch[] {
  const result = parsePatch(text);
  assert.ok(result.ok, result.ok ? "" : result.reason);
  return result.value;
}

function refused(text: string): string {
  const result = parsePatch(text);
  assert.ok(!result.ok, "expected a refusal");
  return result.reason;
}

const HEAD = "diff --git a/f b/f\nindex 1111111..2222222 100644\n--- a/f\n+++ b/f\n";
const GOOD = `${HEAD}@@ -1,3 +1,3 @@ function x()\n a\n-b\n+c\r\n d\n@@ -10 +10,2 @@\n-x\n+y\n+z\n\\ No newline at end of file\n`;

test("a modification with two hunks", () => {
  const [patch, ...rest] = parsed(GOOD);
  assert.equal(rest.length, 0);
  assert.deepEqual(patch, {
    kind: "modify",
    path: "f",
    oldMode: "100644",
    newMode: "100644",
    hunks: [
      {
        oldStart: 1,
        oldLines: 3,
        newStart: 1,
        newLines: 3,
        lines: [
          { kind: "context", text: "a", eol: true },
          { kind: "delete", text: "b", eol: true },
          { kind: "add", text: "c\r", eol: true },
          { kind: "context", text: "d", eol: true },
        ],
      },
      {
        oldStart: 10,
        oldLines: 1,
        newStart: 10,
        newLines: 2,
        lines: [
          { kind: "delete", text: "x", eol: true },
          { kind: "add", text: "y", eol: true },
          { kind: "add", text: "z", eol: false },
        ],
      },
    ],
  });
});

test("whole files, modes, renames, copies and binary changes", () => {
  const kinds = parsed(
    [
      "diff --git a/empty b/empty\nnew file mode 100755\nindex 0000000..e69de29\n",
      "diff --git a/gone b/gone\ndeleted file mode 120000\nindex 1111111..0000000\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-target\n\\ No newline at end of file\n",
      "diff --git a/m b/m\nold mode 100644\nnew mode 100755\n",
      "diff --git a/x b/y b/x b/z\nsimilarity index 100%\nrename from x b/y\nrename to x b/z\n",
      "diff --git a/p b/q\nsimilarity index 90%\ncopy from p\ncopy to q\nindex 1111111..2222222 100644\n--- a/p\n+++ b/q\n@@ -1 +1 @@\n-1\n+2\n",
      "diff --git a/i.png b/i.png\nindex 1111111..2222222 100644\nBinary files a/i.png and b/i.png differ\n",
      "diff --git a/j b/j\nindex 1111111..2222222 100644\nGIT binary patch\nliteral 2\nJcmZQzU|?hb00IC2\n\nliteral 0\nHcmV?d00001\n\n",
    ].join(""),
  );
  assert.deepEqual(kinds, [
    { kind: "create", path: "empty", mode: "100755", hunks: [] },
    {
      kind: "delete",
      path: "gone",
      mode: "120000",
      hunks: [
        {
          oldStart: 1,
          oldLines: 1,
          newStart: 0,
          newLines: 0,
          lines: [{ kind: "delete", text: "target", eol: false }],
        },
      ],
    },
    { kind: "modify", path: "m", oldMode: "100644", newMode: "100755", hunks: [] },
    { kind: "rename", from: "x b/y", path: "x b/z", hunks: [] },
    {
      kind: "copy",
      from: "p",
      path: "q",
      oldMode: "100644",
      newMode: "100644",
      hunks: [
        {
          oldStart: 1,
          oldLines: 1,
          newStart: 1,
          newLines: 1,
          lines: [
            { kind: "delete", text: "1", eol: true },
            { kind: "add", text: "2", eol: true },
          ],
        },
      ],
    },
    { kind: "binary", path: "i.png" },
    { kind: "binary", path: "j" },
  ]);
});

test("quoted paths, octal escapes, names with spaces, and no diff --git line", () => {
  const body = "@@ -1 +1 @@\n-1\n+2\n";
  const quoted = '"a/\\303\\251\\t\\"x"';
  assert.equal(
    parsed(`diff --git ${quoted} "b/\\303\\251\\t\\"x"\n--- ${quoted}\n+++ "b/é\\t\\"x"\n${body}`)[0]?.path,
    'é\t"x',
  );
  assert.equal(parsed(`diff --git a/a b b/a b\n--- a/a b\t\n+++ b/a b\t\n${body}`)[0]?.path, "a b");
  assert.equal(parsed("diff --git a/x b/x b/x b/x\nold mode 100644\nnew mode 100755\n")[0]?.path, "x b/x");
  assert.equal(parsed(`--- a/f\t2020-01-01\n+++ b/f\t2020-01-02\n${body}`)[0]?.kind, "modify");
  assert.equal(parsed("--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+1\n")[0]?.kind, "create");
  assert.deepEqual(parsed(""), []);
});

const REFUSALS: readonly (readonly [name: string, text: string, reason: RegExp])[] = [
  ["chatter before", `Here is it:\n${GOOD}`, /^line 1: expected "diff --git", found "Here is it:"$/],
  ["chatter behind", `${GOOD}-- \n2.39\n`, /^line 15: expected the end of the file's diff, found "-- "$/],
  ["too few lines", `${HEAD}@@ -1,2 +1,2 @@\n-a\n+b\n`, /^line 8: expected 1 more old and 1 more new lines/],
  ["too many old", `${HEAD}@@ -1 +1,2 @@\n-a\n-b\n+c\n+d\n`, /^line 7: more old lines than the 1 stated$/],
  ["too many new", `${HEAD}@@ -1,2 +1 @@\n-a\n+b\n+c\n-d\n`, /^line 8: more new lines than the 1 stated$/],
  ["overlap", `${HEAD}@@ -1,2 +1,2 @@\n-a\n+b\n c\n@@ -2 +2 @@\n-c\n+d\n`, /^line 9: the hunk overlaps/],
  [
    "new side off",
    `${HEAD}@@ -1 +1,2 @@\n-a\n+b\n+c\n@@ -9 +9 @@\n-c\n+d\n`,
    /^line 9: expected the new side to start at line 10$/,
  ],
  ["no newline at the end", GOOD.slice(0, -1), /no newline$/],
  [
    "early no-newline",
    `${HEAD}@@ -1,2 +1 @@\n-a\n\\ No newline at end of file\n-b\n+c\n`,
    /^line 7: a line without a newline is not the last/,
  ],
  ["only context", `${HEAD}@@ -1 +1 @@\n a\n`, /^line 6: the hunk that ends here changes nothing$/],
  ["nothing", "diff --git a/f b/f\n", /^line 1: the diff changes nothing$/],
  [
    "another name",
    "diff --git a/f b/f\n--- a/g\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n",
    /^line 1: the --- line names another file$/,
  ],
  [
    "create with context",
    "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+1\n 2\n",
    /^line 5: more old lines than the 0 stated$/,
  ],
  [
    "create and null side",
    "diff --git a/f b/f\nnew file mode 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n",
    /go together$/,
  ],
  [
    "created twice",
    "diff --git a/f b/f\nnew file mode 100644\ndeleted file mode 100644\n",
    /both created and deleted$/,
  ],
  ["bad mode", "diff --git a/f b/f\nnew file mode 10064\n", /^line 2: a malformed "new file mode" line$/],
  ["open quote", 'diff --git "a/f b/f\n', /^line 1: expected "diff --git a\/PATH b\/PATH"/],
];

for (const [name, text, reason] of REFUSALS) {
  test(`refuses: ${name}`, () => assert.match(refused(text), reason));
}

test("mutated diffs never throw, and some are refused", () => {
  const random = createRandom(11);
  const pieces = [
    "\n",
    "@@ -1 +1 @@\n",
    "-",
    "+",
    " ",
    "\\ x\n",
    '"',
    "\\",
    "diff --git a/a b/a\n",
    "\r",
    "0",
    ",",
    "é",
  ];
  let refusals = 0;
  for (let round = 0; round < 4000; round++) {
    let text = GOOD;
    for (let edits = 1 + random.below(4); edits > 0; edits--) {
      const at = random.below(text.length + 1);
      const piece = random.below(2) === 0 ? "" : pieces[random.below(pieces.length)]!;
      text = text.slice(0, at) + piece + text.slice(at + random.below(12));
    }
    if (!parsePatch(text).ok) refusals++;
  }
  assert.ok(refusals > 2000, `${refusals} refusals`);
});
