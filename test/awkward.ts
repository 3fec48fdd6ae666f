// For tests only: a history with everything in it that trips readers of diffs: names, line ends, modes, encodings,
// and texts that look like the headers of a diff.

import type { Step } from "./repository.ts";

const LINES = Array.from({ length: 12 }, (_, i) => `line ${i + 1}\n`).join("");
const COMMIT_ID = "1234567890123456789012345678901234567890";
const DIFF_IN_MESSAGE = `Explain a change

diff --git a/x b/x
index 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111 100644
--- a/x
+++ b/x
@@ -1 +1 @@
-a
+b
`;

/** Names with a space, both quotes, a backslash, a tab, a newline and letters beyond ASCII. */
export const awkwardNames = [
  "a b.txt",
  `say "it's".txt`,
  "back\\slash",
  "tab\there",
  "new\nline",
  "grüße 日本.txt",
];

export const awkwardSteps: readonly Step[] = [
  {
    message: "Root",
    files: {
      "plain.txt": LINES,
      "empty.txt": "",
      "gone.txt": "one\ntwo\n",
      "crlf.txt": "one\r\ntwo\r\nthree\r\n",
      "cr.txt": "one\rtwo\rthree",
      "feed.txt": "one\ftwo\n\u2028three\nfour\u0085\n",
      "query.sql": "-- sql\n-- more\nselect 1;\n++ plus\n",
      "bare.txt": "no newline",
      "image.bin": Buffer.from([0, 1, 2, 0, 255]),
      "latin.txt": Buffer.from("caf\xe9\n", "latin1"),
      "tool.sh": "#!/bin/sh\necho one\n",
      link: { mode: "120000", data: "plain.txt" },
      module: { mode: "160000", data: COMMIT_ID },
      "to-link": "a file for now\n",
      "moved.txt": LINES,
      "moved-edited.txt": LINES.replaceAll("line", "row"),
      "big.txt": "x\n".repeat(70000),
      ...Object.fromEntries(awkwardNames.map((name) => [name, `${name.length}\n`])),
    },
    latin1Files: { "caf\xe9.txt": "a name in latin-1\n" },
  },
  {
    message: DIFF_IN_MESSAGE,
    files: {
      "plain.txt": LINES.replace("line 2\n", "line two\n").replace("line 11\n", "line eleven\n"),
      "crlf.txt": "one\r\n2\r\nthree\r\n",
      "cr.txt": "one\rtwo\r3",
      "feed.txt": "one\f2\n\u2028three\n4\u0085\n",
      "query.sql": "-- sql\nselect 2;\n++ plus\n++ more\n",
      "bare.txt": "still no newline",
      "image.bin": Buffer.from([0, 1, 2, 0, 254]),
      "latin.txt": Buffer.from("th\xe9\n", "latin1"),
      ...Object.fromEntries(awkwardNames.map((name) => [name, `${name.length}\nmore\n`])),
    },
    latin1Files: { "caf\xe9.txt": "changed\n" },
  },
  {
    message: "Move, remove and change kinds\n\nWith a body.\n",
    files: {
      "gone.txt": null,
      "empty.txt": null,
      "moved.txt": null,
      "deep/moved to.txt": LINES,
      "moved-edited.txt": null,
      "deep/edited.txt": LINES.replaceAll("line", "row").replace("row 3\n", "row three\n"),
      "tool.sh": { mode: "100755", data: "#!/bin/sh\necho one\n" },
      link: { mode: "120000", data: "query.sql" },
      module: { mode: "160000", data: COMMIT_ID.replaceAll("1", "2") },
      "to-link": { mode: "120000", data: "plain.txt" },
      "bare.txt": "with newline\n",
      "was-empty.txt": "",
    },
  },
  { message: "Nothing at all" },
  {
    message: "Fill an empty file",
    files: { "was-empty.txt": "now there\n", "big.txt": "y\n".repeat(70000) },
  },
  {
    message: "Mode and content",
    files: { "tool.sh": { mode: "100644", data: "#!/bin/sh\necho two\n" }, "plain.txt": null },
  },
  { message: "On a side branch", branch: "side", from: 3, files: { "side.txt": "side\n" } },
  { message: "Merge side", merge: 7, files: { "side.txt": "side\n" } },
  { message: Buffer.from("Latin-1 message caf\xe9", "latin1"), files: { "late.txt": "late\n" } },
  // Above the size where git stops comparing, and not binary at all.
  { message: "Add a huge text", files: { "huge.txt": "z\n".repeat(600000) } },
  { message: "Change it", files: { "huge.txt": `${"z\n".repeat(600000)}end\n` } },
];
