// How git writes paths inside a diff: plain, or C-quoted when a name has quotes, backslashes or control characters
// (git's quote.c; git-config, core.quotePath). Reading takes octal escapes of bytes too; writing keeps UTF-8 plain.

import { failure, type Result, success } from "../base/result.ts";

const LETTERS: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 34,
  "\\": 92,
};
const ESCAPES = new Map(Object.entries(LETTERS).map(([letter, code]) => [code, `\\${letter}`]));
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what git quotes
const SPECIAL = /["\\\u0000-\u001f\u007f]/g;

/** The path as a diff shows it with `core.quotePath=false`. */
export function quotePath(path: string): string {
  const quoted = path.replace(SPECIAL, escapeCharacter);
  return quoted === path ? path : `"${quoted}"`;
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  return ESCAPES.get(code) ?? `\\${code.toString(8).padStart(3, "0")}`;
}

/** The path that a whole text stands for, quoted or not. */
export function unquotePath(text: string): Result<string> {
  if (!text.startsWith('"')) return success(text);
  const end = closingQuote(text);
  if (end < 0) return failure("a quoted path has no closing quote");
  if (end !== text.length - 1) return failure("text follows a quoted path");
  return decodeQuoted(text.slice(1, end));
}

/** False for a path that git would not take: absolute, empty parts, `.`, `..` or `.git` in it. */
export function isSafePath(path: string): boolean {
  return path.split("/").every((part) => !["", ".", "..", ".git"].includes(part.toLowerCase()));
}

/** Index of the quote that closes the one at 0, or -1. */
export function closingQuote(text: string): number {
  for (let i = 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  return -1;
}

function decodeQuoted(body: string): Result<string> {
  const parts: Uint8Array[] = [];
  const token = /\\([0-3][0-7]{2})|\\([abtnvfr"\\])|[^\\]+/gy;
  while (token.lastIndex < body.length) {
    const match = token.exec(body);
    if (match === null) return failure("a quoted path has an escape that git does not write");
    parts.push(bytesOf(match));
  }
  try {
    return success(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts)));
  } catch {
    return failure("a path is not UTF-8");
  }
}

function bytesOf(match: RegExpExecArray): Uint8Array {
  if (match[1] !== undefined) return Uint8Array.of(Number.parseInt(match[1], 8));
  if (match[2] !== undefined) return Uint8Array.of(LETTERS[match[2]]!);
  return Buffer.from(match[0]);
}
