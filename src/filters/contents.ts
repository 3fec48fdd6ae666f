// What contents say: a tool wrote the file, it was squeezed for machines, or a change moves only white space. The
// marks of generated files are those that the tools write into the first lines; the measure of minified code is that
// of GitHub's linguist, an average of more than 110 characters a line.

import type { ChangeFacts, Verdict } from "./verdict.ts";

const HEAD = 2048;
const HEAD_LINES = 15;

/** A comment's start, so that a program that prints such a header is not taken for its output. */
const COMMENT = /^\s*(?:\/\/|\/\*|\*|#|--|;|%|<!--|"""|'''|\{-|\(\*|dnl\b|rem\b|@rem\b)/i;

/** A word of every mark. */
const MADE = /generated|created/i;

/** Marks within a comment's text; `\b` keeps them apart from names in code. */
const MARKS: readonly RegExp[] = [
  /(?:^|\s)@generated(?:\s|$|[.*])/,
  /\b(?:auto|automatically|machine)[- ]?generated\b.{0,60}\b(?:by|from|using|file|do not|don't)\b/i,
  /\bgenerated\b.{0,80}\b(?:do not|don't|never) (?:edit|modify|change|touch)\b/i,
  /\b(?:do not|don't) (?:edit|modify|change)\b.{0,80}\bgenerated\b/i,
  /\b(?:this|the) (?:file|code|document|source) (?:is|was|has been) (?:auto(?:matically)?[- ]?)?(?:generated|created) (?:by|from|using)\b/i,
  /^\W*(?:auto(?:matically)?[- ]?)?generated (?:by|from|using) (?:the )?(?:protocol buffer compiler|protoc|thrift|gnu|autoconf|automake|bison|flex|lex|yacc|swig|coffeescript|peg|jison|antlr|ragel|cython|pip-compile|cargo|django|javah|gtk-doc|doxygen|makemaker|openapi|swagger|grpc)\b/i,
];

/** A tool's own words in the head of the old content, or of a created file's new one. */
export function judgeGenerated({ old, diff }: ChangeFacts): Verdict | undefined {
  const head = old === null ? addedLines(diff, HEAD).join("\n") : old.slice(0, HEAD);
  const mark = MADE.test(head) ? findMark(head.split("\n", HEAD_LINES)) : undefined;
  return mark === undefined ? undefined : { reason: "generated", detail: `"${mark}"` };
}

function findMark(head: readonly string[]): string | undefined {
  for (const [at, line] of head.entries()) {
    if (!MADE.test(line) || !COMMENT.test(line)) continue;
    // The two halves of "generated, do not edit" may stand on two lines.
    const near = [head[at - 1], line, head[at + 1]]
      .filter((text) => text !== undefined && COMMENT.test(text))
      .join(" ");
    if (MARKS.some((mark) => mark.test(line) || mark.test(near))) return line.trim().slice(0, 80);
  }
  return undefined;
}

function addedLines(diff: string, most: number): string[] {
  const start = diff.indexOf("\n@@ ");
  if (start < 0) return [];
  const lines = diff.slice(start + 1, start + 1 + most).split("\n");
  return lines.filter((line) => line[0] === "+").map((line) => line.slice(1));
}

const SQUEEZED = /\.(?:js|cjs|mjs|css)$/i;
const AVERAGE = 110;
/** A table of short tests can have long lines on average; squeezed code has very long ones. */
const LEAST_LONGEST = 500;
const LONGEST = 2000;

/** Squeezed code, or a changed line that nobody reads. */
export function judgeMinified({ path, old, diff }: ChangeFacts): Verdict | undefined {
  const average = SQUEEZED.test(path) ? averageLine(old ?? addedLines(diff, diff.length).join("\n")) : 0;
  if (average > AVERAGE) return { reason: "minified", detail: `${Math.round(average)} characters a line` };
  return hasLongChange(diff)
    ? { reason: "minified", detail: `a changed line of more than ${LONGEST} characters` }
    : undefined;
}

/** The average length of a text's lines, 0 where no line is very long, or as soon as there are enough lines. */
function averageLine(text: string): number {
  const enough = text.length / AVERAGE;
  let [lines, longest, start] = [0, 0, 0];
  for (let end = 0; end >= 0; start = end + 1) {
    if (lines >= enough) return 0;
    end = text.indexOf("\n", start);
    longest = Math.max(longest, (end < 0 ? text.length : end) - start);
    lines++;
  }
  return longest < LEAST_LONGEST ? 0 : text.length / lines;
}

function hasLongChange(diff: string): boolean {
  if (diff.length < LONGEST) return false;
  for (let at = diff.indexOf("\n@@ "); at >= 0; ) {
    const end = diff.indexOf("\n", at + 1);
    const length = (end < 0 ? diff.length : end) - at;
    if (length > LONGEST && (diff[at + 1] === "+" || diff[at + 1] === "-")) return true;
    at = end;
  }
  return false;
}

/** Where the space before a line means something. */
const INDENTED =
  /(?:\.(?:py|pyi|pyx|ya?ml|jade|pug|haml|slim|coffee|sass|styl|nim|hs|elm|fs|fsx|mk|rst)|(?:^|\/)(?:GNU)?makefile[^/]*)$/i;

/**
 * Only indentation, the lengths of gaps, ends of lines and empty lines change. A space more or less between two
 * words or signs is a change, and so is indentation where it has a meaning. A file that is created, deleted, or
 * renamed without a change is judged by others.
 */
export function judgeWhitespace({ path, old, diff, newOid }: ChangeFacts): Verdict | undefined {
  const start = diff.indexOf("\n@@ ");
  if (start < 0 || old === null || /^0+$/.test(newOid)) return undefined;
  const removed = createDigest(INDENTED.test(path));
  const added = createDigest(INDENTED.test(path));
  for (let at = start + 1; at < diff.length; ) {
    const end = diff.indexOf("\n", at);
    const stop = end < 0 ? diff.length : end;
    const sign = diff.charCodeAt(at);
    if (sign === 43 || sign === 45) (sign === 43 ? added : removed).push(diff.slice(at + 1, stop));
    else if (sign !== 92 && removed.take() !== added.take()) return undefined;
    at = stop + 1;
  }
  return removed.take() === added.take() ? { reason: "whitespace-only" } : undefined;
}

/** Lines with every gap as one space, the empty ones left out, until they are taken. */
function createDigest(isIndented: boolean) {
  let lines: string[] = [];
  return {
    push: (line: string) => {
      const bare = isIndented ? line.trimEnd() : line.trim().replace(/\s+/g, " ");
      if (bare !== "") lines.push(bare);
    },
    take: () => {
      const text = lines.join("\n");
      lines = [];
      return text;
    },
  };
}
