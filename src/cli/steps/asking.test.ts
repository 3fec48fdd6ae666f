// Paths from a command line: places in files, files that are not there, and what is refused in words.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Request } from "../../dataset/request.ts";
import { describeWindows, readAsk } from "./asking.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-test-"));
after(() => rmSync(root, { recursive: true, force: true }));
mkdirSync(join(root, "lib"));
writeFileSync(join(root, "lib/a.js"), "1\n2\n3\n");
writeFileSync(join(root, "lib/b.js"), "b\n");
writeFileSync(join(root, "lib/odd:2"), "odd\n");

function read(paths: readonly string[], context: readonly string[] = []) {
  return readAsk({ message: "m", paths, context, root, cwd: join(root, "lib") });
}

test("files, new files, places in files, and files beside them", () => {
  assert.deepEqual(read(["a.js:3", "new.js", "a.js:1-2", "odd:2"], ["b.js", "a.js"]), {
    message: "m",
    change: [
      {
        path: "lib/a.js",
        old: "1\n2\n3\n",
        focus: [
          { start: 0, end: 2 },
          { start: 2, end: 3 },
        ],
      },
      { path: "lib/new.js", old: null, focus: [] },
      { path: "lib/odd:2", old: "odd\n", focus: [] },
    ],
    context: [{ path: "lib/b.js", old: "b\n", focus: [] }],
  });
});

const REFUSED: readonly (readonly [paths: readonly string[], context: readonly string[], says: RegExp])[] = [
  [["a.js:0"], [], /^Expected PATH:LINE or PATH:FIRST-LAST, .* found "a.js:0"$/],
  [["a.js:3-2"], [], /^Expected PATH:LINE or PATH:FIRST-LAST/],
  [["a.js:4"], [], /^Expected a line of lib\/a.js, which has 3, found a.js:4; point at another$/],
  [["new.js:1"], [], /which has 0/],
  [["../../x"], [], /^Expected a file inside /],
  [["."], [], /^Expected a file at .*, found something else/],
  [["a.js"], ["none.js"], /^Expected a file to read at none.js, found none/],
];

for (const [paths, context, says] of REFUSED) {
  test(`refused: ${[...paths, ...context].join(" ")}`, () => {
    assert.throws(() => read(paths, context), { message: says });
  });
}

test("what is shown of long files, in lines counted from 1", () => {
  const old = "x\n".repeat(2000);
  const shown = [
    { start: 0, end: 5 },
    { start: 9, end: 10 },
  ];
  const request: Request = {
    message: "m",
    files: [
      { path: "c", old, role: "context", shown },
      { path: "a", old, role: "change", shown },
      { path: "b", old, role: "change", shown: "all" },
    ],
  };
  assert.deepEqual(describeWindows(request), [
    "a is too long to be shown whole: lines 1-5, 10 of 2,000; a:LINE points at another place",
  ]);
});
