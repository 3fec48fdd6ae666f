// Seeded texts, edits of them and paths for tests: few distinct lines, so that they repeat, and lines that look
// like parts of a diff or of an answer. Nothing outside tests imports this.

import type { Random } from "../src/base/random.ts";
import { splitLines } from "../src/patch/text.ts";

const LINES = [
  "",
  " ",
  "a",
  "b",
  "}",
  "  return 1;",
  "carriage\r",
  "\r",
  "+added",
  "-deleted",
  "--- a/x",
  "+++ b/x",
  "@@ -1 +1 @@",
  "@1,2",
  "@",
  "@delete",
  "\\",
  "\\@1,1",
  "\\\\",
  "\\ No newline at end of file",
  "diff --git a/x b/x",
  "é 日本 🙂",
  "\u2028\ufeff",
  "\ttab",
];

const PATHS = [
  "plain.txt",
  "dir/with space",
  'q"uote',
  "tab\tname",
  "back\\slash",
  "été",
  "new\nline",
  "x b/y",
  "@a",
];

/** A text of up to `most` lines, one in four without a newline at its end; may be empty. */
export function randomText(random: Random, most = 30): string {
  const lines = Array.from({ length: random.below(most + 1) }, () => `${randomLine(random)}\n`);
  return cutEnd(lines.join(""), random);
}

/** Another text: lines of `text` deleted, replaced and inserted at a few places. */
export function randomEdit(random: Random, text: string): string {
  const lines = splitLines(text).map((line) => line.replace(/\n$/, ""));
  for (let edits = 1 + random.below(4); edits > 0; edits--) {
    const added = Array.from({ length: random.below(4) }, () => randomLine(random));
    lines.splice(random.below(lines.length + 1), random.below(4), ...added);
  }
  return cutEnd(lines.map((line) => `${line}\n`).join(""), random);
}

export function randomPath(random: Random): string {
  return PATHS[random.below(PATHS.length)]!;
}

function randomLine(random: Random): string {
  return random.below(3) === 0 ? LINES[random.below(LINES.length)]! : `line ${random.below(40)}`;
}

function cutEnd(text: string, random: Random): string {
  return random.below(4) === 0 && !/(^|\n)\n$/.test(text) ? text.replace(/\n$/, "") : text;
}
