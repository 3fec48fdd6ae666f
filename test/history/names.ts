// For tests only: cases of names and of commits: what git quotes, what looks like something else, messages, authors,
// clocks, roots and merges.

import type { Case } from "./cases.ts";

const NAMES: readonly string[] = [
  ...[
    "a b",
    " leading and trailing ",
    `"both" 'quotes'`,
    '"',
    "back\\slash",
    "\\",
    "\\n",
    "tab\there",
    "new\nline",
  ],
  ...[
    "carriage\rreturn",
    "\u0001\u001b[31m\u007f",
    "grüße 日本 😀.txt",
    "e\u0301 and \u00e9",
    "\u2028",
    "\ufeffmark",
  ],
  ...[
    "-x",
    "--output=x",
    "*",
    "[a]?",
    ":(exclude)a",
    ":a",
    "#a",
    "!a",
    "~",
    "a:b",
    "C:drive",
    "a=>b",
    "{a => b}/c",
  ],
  ...[
    "dev/null",
    "a/dev/null",
    "a/a/a",
    "b/b",
    "x b/x",
    "x b/x b/x",
    "a/x b/a/x",
    "--- a/x",
    "con",
    "nul.txt",
    "a.",
  ],
  ...[
    "long/".repeat(60).concat("name"),
    "n".repeat(250),
    ".gitignore",
    ".gitx/config",
    "a/..b/...",
    "diff --git a/x b/x",
  ],
];

const LINES = Array.from({ length: 12 }, (_, i) => `line ${i + 1}\n`).join("");
const each = (content: (name: string) => string | null) => ({
  files: Object.fromEntries(NAMES.map((name) => [name, content(name)])),
});
const example = (path: string) => `example ${path}`;

const names: readonly Case[] = [
  {
    name: "names: made, changed and removed",
    steps: [
      each((name) => `of ${name.length}\n`),
      each((name) => `of ${name.length}\nmore\n`),
      each(() => null),
    ],
    becomes: [...NAMES, ...NAMES, ...NAMES].map(example),
  },
  {
    name: "names of empty files, which have no lines that name them",
    steps: [each(() => ""), each(() => null)],
    becomes: [...NAMES, ...NAMES].map(example),
  },
  ...NAMES.map((name, i) => renamed(name, NAMES[(i + 7) % NAMES.length]!)),
  {
    name: "a name that is not UTF-8",
    steps: [{ latin1Files: { "caf\xe9": "a\n" } }, { latin1Files: { "caf\xe9": "b\n" } }],
    becomes: ["undecodable caf\ufffd", "undecodable caf\ufffd"],
  },
];

function renamed(from: string, to: string): Case {
  const steps = [
    { files: { [from]: LINES } },
    { files: { [from]: null, [to]: LINES } },
    { files: { [to]: null, [from]: LINES.replace("line 6", "line six") } },
  ];
  return {
    name: `renames of ${JSON.stringify(from)} and back`,
    steps,
    becomes: [from, from, to].map(example),
  };
}

/** A commit with this message, whose one file becomes what is said. */
function said(name: string, message: string | Buffer, becomes = "example"): Case {
  return { name, steps: [{ message, files: { a: `${name}\n` } }], becomes: [`${becomes} a`] };
}

const DIFF = "diff --git a/x b/x\nindex 1111111..2222222 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";

const messages: readonly Case[] = [
  said("a diff in the message", `Explain\n\n${DIFF}`),
  said(
    "a message that is git's own log",
    `commit ${"1".repeat(40)}\nAuthor: A <a@a>\n\n    x\n\n:100644 100644 ${"1".repeat(40)} ${"2".repeat(40)} M\ta\n`,
  ),
  said("an empty message", ""),
  said("a message of newlines", "\n\n\n"),
  said("a message with the mark that ends ours", "one \u001e two\n\u001e\n"),
  said("Windows line ends in the message", "Subject\r\n\r\nBody\r\n"),
  said("a long message", `Long\n\n${"word ".repeat(4000)}\n`),
  said("a message that is not UTF-8", Buffer.from("caf\xe9", "latin1"), "undecodable"),
  said("a message in letters of many kinds", "Grüße, 日本, 😀, \u202eright to left\u202c"),
];

const graphs: readonly Case[] = [
  {
    name: "a commit without changes",
    steps: [{ files: { a: "a\n" } }, {}, { files: { a: "b\n" } }],
    becomes: ["example a", "example a"],
  },
  {
    name: "a root that has nothing",
    steps: [{}, { files: { a: "a\n" } }],
    becomes: ["example a"],
  },
  {
    name: "a merge, with a change of its own",
    steps: [
      { files: { a: "a\n" } },
      { side: "b", from: 1, files: { b: "side\n" } },
      { files: { c: "main\n" } },
      { merge: 2, files: { b: "side\n", d: "nowhere else\n" } },
      { files: { d: "after the merge\n" } },
    ],
    becomes: ["example a", "example b", "example c", "example d"],
  },
  {
    name: "two roots that meet, and a merge of what did not change",
    steps: [
      { files: { a: "a\n" } },
      { side: "b", files: { b: "another root\n" } },
      { merge: 2, files: { b: "another root\n" } },
      { files: { b: "after\n" } },
    ],
    becomes: ["example a", "example b", "example b"],
  },
];

/** What can stand in names, messages and graphs. */
export const commits: readonly Case[] = [...names, ...messages, ...graphs];
