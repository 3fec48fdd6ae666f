// Reads what stands above the hunks of one file: the `diff --git` line, the extended lines (modes, renames,
// index) and the `---`/`+++` pair (git-diff, "Generating patch text with -p"). Knows nothing of hunks.

import { failure, type Result, success } from "../base/result.ts";
import { type Cursor, failAt, found } from "./cursor.ts";
import { closingQuote, unquotePath } from "./path.ts";

/** The two names of a diff, `null` for /dev/null. */
export type Sides = { readonly old: string | null; readonly new: string | null };

/** Every reading of the `diff --git` line: names with " b/" in them leave more than one. */
export type NamePairs = readonly (readonly [string, string])[];

const MODE = /^[0-7]{6}$/;
const PERCENT = /^\d{1,3}%$/;
const EXTENDED = {
  "old mode": MODE,
  "new mode": MODE,
  "new file mode": MODE,
  "deleted file mode": MODE,
  "similarity index": PERCENT,
  "dissimilarity index": PERCENT,
  "rename from": /./s,
  "rename to": /./s,
  "copy from": /./s,
  "copy to": /./s,
  index: /^[0-9a-f]{4,64}\.\.[0-9a-f]{4,64}(?: [0-7]{6})?$/,
} as const;

export type ExtendedName = keyof typeof EXTENDED;
export type Extended = ReadonlyMap<ExtendedName, string>;

const EXTENDED_STARTS = (Object.keys(EXTENDED) as ExtendedName[]).map((name) => ({
  name,
  start: `${name} `,
}));
const PATHS: ReadonlySet<ExtendedName> = new Set(["rename from", "rename to", "copy from", "copy to"]);

/** Reads the names of a `diff --git` line; the cursor stands on it and moves on. */
export function readNamePairs(cursor: Cursor): Result<NamePairs> {
  const rest = cursor.lines[cursor.at]!.slice("diff --git ".length);
  const pairs: [string, string][] = [];
  for (const [a, b] of splitPair(rest)) {
    const left = stripPrefix(unquotePath(a), "a/");
    const right = stripPrefix(unquotePath(b), "b/");
    if (left.ok && right.ok) pairs.push([left.value, right.value]);
  }
  if (pairs.length === 0)
    return failAt(cursor, `expected "diff --git a/PATH b/PATH", found ${found(cursor)}`);
  cursor.at++;
  return success(pairs);
}

function splitPair(text: string): [string, string][] {
  if (text.startsWith('"')) {
    const end = closingQuote(text);
    return end < 0 || text[end + 1] !== " " ? [] : [[text.slice(0, end + 1), text.slice(end + 2)]];
  }
  if (text.endsWith('"')) {
    const start = text.indexOf(' "');
    return start < 0 ? [] : [[text.slice(0, start), text.slice(start + 1)]];
  }
  const pairs: [string, string][] = [];
  for (let at = text.indexOf(" b/"); at >= 0; at = text.indexOf(" b/", at + 1)) {
    pairs.push([text.slice(0, at), text.slice(at + 1)]);
  }
  return pairs;
}

/** Reads the extended lines, each at most once; stops at the first line that is none. */
export function readExtended(cursor: Cursor): Result<Extended> {
  const values = new Map<ExtendedName, string>();
  for (; cursor.at < cursor.lines.length; cursor.at++) {
    const line = cursor.lines[cursor.at]!;
    const name = EXTENDED_STARTS.find(({ start }) => line.startsWith(start))?.name;
    if (name === undefined) break;
    if (values.has(name)) return failAt(cursor, `a second "${name}" line`);
    const text = line.slice(name.length + 1);
    if (!EXTENDED[name].test(text)) return failAt(cursor, `a malformed "${name}" line`);
    const value = PATHS.has(name) ? unquotePath(text) : success(text);
    if (!value.ok) return failAt(cursor, value.reason);
    values.set(name, value.value);
  }
  return success(values);
}

/** Reads a `---` line and the `+++` line below it. */
export function readSides(cursor: Cursor): Result<Sides> {
  const old = readSide(cursor, "--- ", "a/");
  if (!old.ok) return old;
  const next = readSide(cursor, "+++ ", "b/");
  if (!next.ok) return next;
  if (old.value === null && next.value === null) return failAt(cursor, "both sides are /dev/null", 1);
  return success({ old: old.value, new: next.value });
}

function readSide(cursor: Cursor, label: string, prefix: string): Result<string | null> {
  const line = cursor.lines[cursor.at];
  if (!line?.startsWith(label)) {
    return failAt(cursor, `expected "${label}${prefix}PATH", found ${found(cursor)}`);
  }
  const path = unquotePath(withoutTail(line.slice(label.length)));
  if (path.ok && path.value === "/dev/null") {
    cursor.at++;
    return success(null);
  }
  const name = stripPrefix(path, prefix);
  if (!name.ok) return failAt(cursor, name.reason);
  cursor.at++;
  return name;
}

/** Cuts the tab that git puts after a name with spaces, and the date that other tools put after it. */
function withoutTail(text: string): string {
  const start = text.startsWith('"') ? closingQuote(text) : 0;
  const tab = text.indexOf("\t", Math.max(start, 0));
  return tab < 0 ? text : text.slice(0, tab);
}

function stripPrefix(path: Result<string>, prefix: string): Result<string> {
  if (!path.ok) return path;
  if (path.value.startsWith(prefix) && path.value.length > prefix.length) {
    return success(path.value.slice(prefix.length));
  }
  return failure(`expected a path that starts with ${prefix}`);
}
