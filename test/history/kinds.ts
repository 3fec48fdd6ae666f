// For tests only: cases of what can happen to a file: kinds of changes, of entries and of contents.

import type { Case } from "./cases.ts";

const LINES = Array.from({ length: 30 }, (_, i) => `line ${i + 1} of the file\n`).join("");
const EDITED = LINES.replace("line 4 of", "line four of").replace("line 25 of", "line twenty-five of");
const ONE = "1".repeat(40);
const TWO = "2".repeat(40);
const link = (data: string) => ({ mode: "120000", data });
const tool = (data: string) => ({ mode: "100755", data });
const module = (data: string) => ({ mode: "160000", data });
const zeros = (...values: number[]) => Buffer.from([0, ...values, 0, 255]);
/** Binary, and long enough for git to see that it moved. */
const BYTES = Buffer.alloc(4000, "bytes\0\n");
const latin = (text: string) => Buffer.from(text, "latin1");

/** A file made, then changed to other texts, then removed, each step an example. */
function life(name: string, ...texts: readonly (string | Buffer)[]): Case {
  const steps = [...texts, null].map((text) => ({ files: { "a.txt": text } }));
  return { name, steps, becomes: steps.map(() => "example a.txt") };
}

const changes: readonly Case[] = [
  life("a file is made, changed in two places and removed", LINES, EDITED),
  {
    name: "several files in one commit",
    steps: [
      { files: { "a.txt": LINES, "b/c.txt": "c\n", "b/d.txt": "d\n" } },
      { files: { "a.txt": EDITED, "b/c.txt": null, "b/e.txt": "something else\n", "b/d.txt": "dd\n" } },
    ],
    becomes: ["a.txt", "b/c.txt", "b/d.txt", "a.txt", "b/c.txt", "b/d.txt", "b/e.txt"].map(
      (path) => `example ${path}`,
    ),
  },
  {
    name: "a rename as it is, one with edits, and one over folders",
    steps: [
      { files: { "a.txt": LINES } },
      { files: { "a.txt": null, "b.txt": LINES } },
      { files: { "b.txt": null, "c.txt": EDITED } },
      { files: { "c.txt": null, "deep/er/c.txt": EDITED } },
    ],
    becomes: ["a.txt", "a.txt", "b.txt", "c.txt"].map((path) => `example ${path}`),
  },
  {
    name: "two files that swap their names are two modifications",
    steps: [{ files: { a: LINES, b: "other\n" } }, { files: { a: "other\n", b: LINES } }],
    becomes: ["example a", "example b", "example a", "example b"],
  },
  {
    name: "a file gone to two places is a rename and a creation",
    steps: [{ files: { a: LINES } }, { files: { a: null, b: LINES, c: LINES } }],
    becomes: ["example a", "example a", "example c"],
  },
  {
    name: "a copy of what stays, as it is and with edits, is a creation",
    steps: [{ files: { a: LINES } }, { files: { b: LINES } }, { files: { c: EDITED } }],
    becomes: ["example a", "example b", "example c"],
  },
  {
    name: "a file in place of a folder, and a folder in place of a file",
    steps: [
      { files: { a: "file\n" } },
      { files: { a: null, "a/b": "quite another text\n" } },
      { files: { "a/b": null, a: "back to a single file\n" } },
    ],
    becomes: ["example a", "example a", "example a/b", "example a", "example a/b"],
  },
];

const entries: readonly Case[] = [
  {
    name: "the mode alone, the mode with the content, the mode of a renamed file",
    steps: [
      { files: { a: LINES } },
      { files: { a: tool(LINES) } },
      { files: { a: { mode: "100644", data: EDITED } } },
      { files: { a: null, b: tool(EDITED) } },
      { files: { b: null } },
    ],
    becomes: ["example a", "mode-only a", "example a", "example a", "example b"],
  },
  {
    name: "an executable file from beginning to end",
    steps: [{ files: { run: tool("one\n") } }, { files: { run: tool("two\n") } }, { files: { run: null } }],
    becomes: ["example run", "example run", "example run"],
  },
  {
    name: "changes of type, all that there are",
    steps: [
      { files: { a: "file\n", b: link("a"), c: module(ONE) } },
      { files: { a: link("b"), b: module(ONE), c: "file\n" } },
      { files: { a: module(ONE), b: "file\n", c: link("b") } },
    ],
    becomes: [
      ...["example a", "symlink b", "submodule c"],
      ...["type-change a", "type-change b", "type-change c"],
      ...["type-change a", "type-change b", "type-change c"],
    ],
  },
  {
    name: "links made, turned, moved and removed",
    steps: [
      { files: { a: link("somewhere/in/particular") } },
      { files: { a: link("nowhere") } },
      { files: { a: null, b: link("nowhere") } },
      { files: { b: null } },
    ],
    becomes: ["symlink a", "symlink a", "symlink a", "symlink b"],
  },
  {
    name: "submodules made, moved on, renamed and removed",
    steps: [
      { files: { ".gitmodules": '[submodule "m"]\n\tpath = m\n\turl = ../m\n', m: module(ONE) } },
      { files: { m: module(TWO) } },
      { files: { m: null, n: module(TWO) } },
      { files: { n: null } },
    ],
    becomes: ["example .gitmodules", "submodule m", "submodule m", "submodule m", "submodule n"],
  },
];

const contents: readonly Case[] = [
  {
    name: "a binary file made, changed, moved with a change, and turned to text and back",
    steps: [
      { files: { a: zeros(1) } },
      { files: { a: BYTES } },
      { files: { a: null, b: Buffer.concat([BYTES, zeros(2)]) } },
      { files: { b: "text now\n" } },
      { files: { b: zeros(3) } },
      { files: { b: null } },
    ],
    becomes: ["binary a", "binary a", "binary a", "binary b", "binary b", "binary b"],
  },
  {
    name: "a binary file that only moves",
    steps: [
      { files: { a: zeros(1), b: Buffer.from([0, 1, 2, 0]) } },
      { files: { a: null, b: null, c: zeros(1), d: Buffer.from([0, 1, 2, 0]) } },
    ],
    becomes: ["binary a", "binary b", "binary a", "binary b"],
  },
  life("no newline at the end: never", "one", "two", "two\nand three"),
  life(
    "no newline at the end: gained with a line, lost with a line",
    "one\ntwo",
    "one\ntwo\nthree\n",
    "one\ntwo\nfour",
  ),
  life("no newline at the end, the last line far from the change", `${LINES}end`, `${EDITED}end`),
  life("Windows line ends", "one\r\ntwo\r\n", "one\r\n2\r\n", "one\r\n2\r\nthree"),
  life(
    "line ends of both kinds, and one kind made the other with a change",
    "a\r\nb\nc\r\n",
    "a\r\nB\nc\r\n",
    "x\nB\ny\n",
  ),
  life("lines that only a carriage return ends", "one\rtwo\rthree", "one\r2\rthree"),
  life(
    "form feeds, vertical tabs, U+2028, U+2029 and U+0085 end no lines",
    "a\fb\vc\u2028d\u2029e\u0085f\ng\n",
    "a\fb\vC\u2028d\u2029e\u0085f\ng\n",
  ),
  life("a byte order mark stays", "\ufeffone\n", "\ufefftwo\n", "three\n"),
  life("letters beyond the basic plane, and combined ones", "ä\u0308 😀 日本\n", "ä 😁 日本語\n"),
  life("control characters that are not NUL", "\u0001\u0002\u001b[31m\n", "\u0001\u0003\u001b[32m\u007f\n"),
  life("an empty file is made and filled", "", "filled\n"),
  life("a file is emptied", "full\n", ""),
  {
    name: "an empty file moves",
    steps: [{ files: { a: "" } }, { files: { a: null, b: "" } }],
    becomes: ["example a", "example a"],
  },
  {
    name: "text that is not UTF-8",
    steps: [
      {
        files: {
          a: latin("caf\xe9\n"),
          b: latin("\xff\xfe\n"),
          c: latin("\xed\xa0\x80\n"),
          d: latin("\xc0\xaf\n"),
        },
      },
      { files: { a: latin("th\xe9\n"), b: "now it is\n", c: latin("same line\n\xed\xa0\x80\n"), d: null } },
      { files: { a: null, b: latin("\xe9 again\n") } },
    ],
    becomes: [
      ...["undecodable a", "undecodable b", "undecodable c", "undecodable d"],
      ...["undecodable a", "undecodable b", "undecodable c", "undecodable d"],
      ...["undecodable a", "undecodable b"],
    ],
  },
  {
    name: "a bad byte far from the change",
    steps: [{ files: { a: latin(`\xe9\n${LINES}`) } }, { files: { a: latin(`\xe9\n${EDITED}`) } }],
    becomes: ["undecodable a", "undecodable a"],
  },
  {
    name: "UTF-16 is binary to git",
    steps: [
      { files: { a: Buffer.from("one\n", "utf16le") } },
      { files: { a: Buffer.from("two\n", "utf16le") } },
    ],
    becomes: ["binary a", "binary a"],
  },
  {
    name: "sizes: an old content, a diff and a text that git does not compare",
    steps: [
      {
        files: {
          old: "x\n".repeat(40000),
          small: "one\n",
          huge: "z\n".repeat(600000),
          line: "long ".repeat(20000),
        },
      },
      { files: { old: `${"x\n".repeat(40000)}y\n`, small: "new\n".repeat(20000) } },
      { files: { small: "one\n", huge: `${"z\n".repeat(600000)}y\n`, line: null } },
    ],
    becomes: [
      ...["over-size huge", "over-size line", "over-size old", "example small"],
      ...["over-size old", "over-size small", "over-size huge", "over-size line", "over-size small"],
    ],
  },
];

const sql = "-- sql\n-- more\nselect 1;\n++ plus\n--- a/x\n+++ b/x\n";
const diff = `diff --git a/x b/x\nindex ${ONE}..${TWO} 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n`;

const lookalikes: readonly Case[] = [
  life(
    "lines that look like headers once they have a sign",
    sql,
    sql.replace("select 1", "select 2"),
    "+ plus\n- minus\n@@ -1 +1 @@\n",
  ),
  life("a file that is a diff", diff, diff.replace("-a", "-c"), `${diff}${diff}`),
  life(
    "a file of raw records and commit ids",
    `:100644 100644 ${ONE} ${TWO} M\ta\n`,
    `${ONE}\n:100755 100644 ${ONE} ${TWO} M\ta\n`,
  ),
  life("conflict markers", "<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n", "a\n"),
  life(
    "a heading that git cuts within a character",
    ...["one", "two"].map((end) => `x${"ü".repeat(60)}\n${" context\n".repeat(6)}${end}\n`),
  ),
];

/** What can happen to a file. */
export const kinds: readonly Case[] = [...changes, ...entries, ...contents, ...lookalikes];
