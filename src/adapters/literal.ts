// Reads the inside of an option string, `reduction_factor=8, leave_out=[0, 1]`: pairs of a name and a literal, as
// adapters takes them from Python (adapters:src/adapters/utils.py, parse_adapter_config_string), written either way:
// true or True, none or None, text with or without quotes.

import { failure, type Result, success } from "../base/result.ts";

export type Literal =
  | number
  | string
  | boolean
  | null
  | readonly Literal[]
  | { readonly [key: string]: Literal };

/** Deeper nesting than any option has is no option. */
const DEPTH = 8;

class Unreadable extends Error {}

/** The pairs, in order; a `reason` says what was expected where. */
export function parsePairs(text: string): Result<ReadonlyMap<string, Literal>> {
  const cursor = { text, at: 0 };
  const pairs = new Map<string, Literal>();
  try {
    if (peek(cursor) === "") return success(pairs);
    for (;;) {
      const name = take(cursor, /[A-Za-z_]\w*/y, "a name");
      if (pairs.has(name)) throw new Unreadable(`${name} is given twice`);
      take(cursor, /=/y, "=");
      pairs.set(name, parseLiteral(cursor, DEPTH));
      if (peek(cursor) === "") return success(pairs);
      take(cursor, /,/y, "a comma");
    }
  } catch (error) {
    if (error instanceof Unreadable) return failure(error.message);
    throw error;
  }
}

type Cursor = { readonly text: string; at: number };

/** The next character that is no space; none at the end. */
function peek(cursor: Cursor): string {
  while (/\s/.test(cursor.text[cursor.at] ?? "")) cursor.at++;
  return cursor.text[cursor.at] ?? "";
}

function take(cursor: Cursor, pattern: RegExp, wanted: string): string {
  peek(cursor);
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text)?.[0];
  if (found === undefined) {
    const rest = cursor.text.slice(cursor.at, cursor.at + 12);
    throw new Unreadable(`${wanted} is expected where ${rest === "" ? "it ends" : `"${rest}" stands`}`);
  }
  cursor.at += found.length;
  return found;
}

function parseLiteral(cursor: Cursor, depth: number): Literal {
  if (depth === 0) throw new Unreadable("it is nested too deeply");
  switch (peek(cursor)) {
    case "[":
      return parseList(cursor, depth, "]");
    case "(":
      return parseList(cursor, depth, ")");
    case "{":
      return parseMap(cursor, depth);
    case "'":
    case '"':
      return take(cursor, /'[^']*'|"[^"]*"/y, "a closing quote").slice(1, -1);
    default:
      return wordValue(take(cursor, /[^\s,[\](){}=:'"]+/y, "a value"));
  }
}

function parseList(cursor: Cursor, depth: number, close: string): Literal[] {
  cursor.at++;
  const items: Literal[] = [];
  while (peek(cursor) !== close) {
    items.push(parseLiteral(cursor, depth - 1));
    if (peek(cursor) !== close) take(cursor, /,/y, "a comma");
  }
  cursor.at++;
  return items;
}

function parseMap(cursor: Cursor, depth: number): Readonly<Record<string, Literal>> {
  cursor.at++;
  const pairs: [string, Literal][] = [];
  while (peek(cursor) !== "}") {
    const key = parseLiteral(cursor, 1);
    take(cursor, /:/y, "a colon");
    pairs.push([String(key), parseLiteral(cursor, depth - 1)]);
    if (peek(cursor) !== "}") take(cursor, /,/y, "a comma");
  }
  cursor.at++;
  return Object.fromEntries(pairs);
}

const WORDS: ReadonlyMap<string, Literal> = new Map<string, Literal>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
  ["null", null],
]);

function wordValue(word: string): Literal {
  if (WORDS.has(word)) return WORDS.get(word)!;
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(word) ? Number(word) : word;
}
