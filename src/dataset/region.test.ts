// The region format with several files and with windows: prompts as text, answers there and back, refusals.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPatch } from "../patch/create.ts";
import { formats } from "./format.ts";
import { OUTSIDE, type Request, type RequestFile } from "./request.ts";

const { region } = formats;

const LINES = Array.from({ length: 12 }, (_, i) => `line ${i + 1}`).join("\n");

const WINDOW: RequestFile = {
  path: "long.txt",
  old: LINES,
  role: "change",
  shown: [
    { start: 1, end: 3 },
    { start: 6, end: 9 },
  ],
};
const SHORT: RequestFile = { path: 'q"uote', old: "a\n", role: "change", shown: "all" };
const NEW: RequestFile = { path: "new", old: null, role: "change", shown: "all" };
const CONTEXT: RequestFile = {
  path: "read me",
  old: LINES,
  role: "context",
  shown: [{ start: 10, end: 12 }],
};

const request: Request = { message: "Do it\n", files: [CONTEXT, WINDOW, SHORT, NEW] };

function changeOf(file: RequestFile, to: string | null) {
  const patch = createPatch({ path: file.path, old: file.old, new: to });
  return { patch, diff: "" };
}

test("a prompt of several files, two of them as windows", () => {
  assert.equal(
    region.prompt(request),
    `Context: read me
...
11|line 11
12|line 12
\\ No newline at end of file
File: long.txt
...
2|line 2
3|line 3
...
7|line 7
8|line 8
9|line 9
...
File: "q\\"uote"
1|a
New file: new
Message: Do it
Change:
`,
  );
});

const ANSWER = `@file long.txt
@3,1
LINE 3
@10,0
between
@file "q\\"uote"
@delete
@file new
@create 100644
\\@file is text here
`;

test("an answer of several files, there and back", () => {
  const long = LINES.replace("line 3", "LINE 3").replace("line 10", "between\nline 10");
  const wanted = [changeOf(WINDOW, long), changeOf(SHORT, null), changeOf(NEW, "@file is text here\n")];
  assert.deepEqual(region.answer(request, wanted), { ok: true, value: ANSWER });
  const read = region.read(ANSWER, request);
  assert.ok(read.ok, read.ok ? "" : read.reason);
  assert.deepEqual(
    read.value.map((change) => [change.path, change.new]),
    [
      ["long.txt", long],
      ['q"uote', null],
      ["new", "@file is text here\n"],
    ],
  );
  assert.deepEqual(region.parse(ANSWER, request), { ok: true, value: wanted.map(({ patch }) => patch) });
});

test("files that are not named stay, and the order is free", () => {
  const read = region.read('@file new\n@create 100644\nx\n@file "q\\"uote"\n@1,1\nb\n', request);
  assert.deepEqual(read.ok && read.value.map(({ path, new: text }) => [path, text]), [
    ["new", "x\n"],
    ['q"uote', "b\n"],
  ]);
});

test("a change of lines that are not shown has no answer", () => {
  const wanted = changeOf(WINDOW, LINES.replace("line 5", "LINE 5"));
  assert.deepEqual(region.answer({ message: "", files: [WINDOW] }, [wanted]), { ok: false, reason: OUTSIDE });
  const moved = {
    patch: { ...createPatch({ path: "to", from: "long.txt", old: LINES, new: LINES }) },
    diff: "",
  };
  assert.deepEqual(region.answer({ message: "", files: [WINDOW] }, [moved]), {
    ok: true,
    value: "@rename to\n",
  });
});

const REFUSED: readonly (readonly [answer: string, reason: RegExp])[] = [
  ["", /^empty answer$/],
  ["@3,1\nx\n", /^line 1: expected @file PATH$/],
  ["@file other\n@1,1\nx\n", /^line 1: not the path of a file to change$/],
  ["@file read me\n@11,1\nx\n", /^line 1: not the path of a file to change$/],
  ["@file new\nx\n", /^line 1: expected a directive behind @file$/],
  ["@file new\n", /^new: empty answer$/],
  ["@file new\n@create 100644\nx\n@file new\n@create 100644\ny\n", /^line 4: a file that was named before$/],
  ["@file long.txt\n@5,1\nx\n", /^long.txt: line 2: names lines that are not shown$/],
  ["@file long.txt\n@3,5\nx\n", /^long.txt: line 2: names lines that are not shown$/],
  ["@file long.txt\n@6,0\nx\n", /^long.txt: line 2: names lines that are not shown$/],
  ["@file long.txt\n@2,1\nline 2\n", /^long.txt: the answer changes nothing$/],
  ["@file long.txt\n@rename new\n", /^a file would take the name of another$/],
  ["@file long.txt\n@rename read me\n", /^a file would take the name of another$/],
  ['@file long.txt\n@rename x\n@file "q\\"uote"\n@rename x\n', /^a file would take the name of another$/],
  ['@file "q\n@1,1\nx\n', /^line 1: a quoted path has no closing quote$/],
];

for (const [answer, reason] of REFUSED) {
  test(`refused: ${JSON.stringify(answer)}`, () => {
    const read = region.read(answer, request);
    assert.match(read.ok ? "taken" : read.reason, reason);
    assert.equal(region.parse(answer, request).ok, false);
  });
}

test("of one file to change, @file is no directive", () => {
  const read = region.read("@file long.txt\n@3,1\nx\n", { message: "", files: [CONTEXT, WINDOW] });
  assert.deepEqual(read, { ok: false, reason: "line 1: expected @FIRST,COUNT" });
});
