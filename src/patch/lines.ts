// Reads the hunks of one file, counted by the numbers of their `@@` lines; an empty line inside a hunk is an empty
// context line, as git writes it under diff.suppressBlankEmpty. Knows nothing of headers.

import { type Result, success } from "../base/result.ts";
import { type Cursor, failAt, found } from "./cursor.ts";
import type { Hunk, Line } from "./hunk.ts";

const HUNK = /^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(?: .*)?$/s;
const [SPACE, PLUS, MINUS] = [32, 43, 45];

/** True for the marker below a line without a newline; git translates its words. */
export function isNoNewline(line: string | undefined): boolean {
  return line?.startsWith("\\ ") ?? false;
}

/** Reads one hunk or more; stops at the first line that opens none. */
export function readHunks(cursor: Cursor): Result<readonly Hunk[]> {
  const hunks: Hunk[] = [];
  do {
    const hunk = readHunk(cursor, hunks.at(-1));
    if (!hunk.ok) return hunk;
    hunks.push(hunk.value);
  } while (cursor.lines[cursor.at]?.startsWith("@@ "));
  const line = cursor.lines[cursor.at];
  const more = line === undefined || line.startsWith("diff --git ") || line.startsWith("--- ");
  return more
    ? success(hunks)
    : failAt(cursor, `expected the end of the file's diff, found ${found(cursor)}`);
}

/** Where a side of a hunk starts, counted from 0. */
export function startIndex(start: number, length: number): number {
  return length === 0 ? start : start - 1;
}

function readHunk(cursor: Cursor, previous: Hunk | undefined): Result<Hunk> {
  const match = HUNK.exec(cursor.lines[cursor.at] ?? "");
  if (match === null)
    return failAt(cursor, `expected "@@ -START,COUNT +START,COUNT @@", found ${found(cursor)}`);
  const number = (group: number) => (match[group] === undefined ? 1 : Number(match[group]));
  const range = { oldStart: number(1), oldLines: number(2), newStart: number(3), newLines: number(4) };
  const misplaced = checkPlace(range, previous);
  if (misplaced !== undefined) return failAt(cursor, misplaced);
  cursor.at++;
  const lines = readLines(cursor, range);
  if (!lines.ok) return lines;
  if (lines.value.every((line) => line.kind === "context")) {
    return failAt(cursor, "the hunk that ends here changes nothing", 1);
  }
  return success({ ...range, lines: lines.value });
}

type Range = Omit<Hunk, "lines">;

/** What is wrong with where a hunk stands, if anything. */
function checkPlace(range: Range, previous: Hunk | undefined): string | undefined {
  const oldAt = startIndex(range.oldStart, range.oldLines);
  const newAt = startIndex(range.newStart, range.newLines);
  if (oldAt < 0 || newAt < 0) return "a hunk with lines cannot start at line 0";
  if (previous === undefined) {
    return oldAt === newAt ? undefined : "the first hunk starts at different lines on both sides";
  }
  const oldEnd = startIndex(previous.oldStart, previous.oldLines) + previous.oldLines;
  const newEnd = startIndex(previous.newStart, previous.newLines) + previous.newLines;
  if (oldAt < oldEnd) return `the hunk overlaps the one before it, which ends at line ${oldEnd}`;
  if (previous.lines.some((line) => !line.eol)) return "a hunk follows the end of the file";
  if (newAt - newEnd === oldAt - oldEnd) return undefined;
  return `expected the new side to start at line ${newEnd + oldAt - oldEnd + (range.newLines === 0 ? 0 : 1)}`;
}

function readLines(cursor: Cursor, range: Range): Result<readonly Line[]> {
  const left = { old: range.oldLines, new: range.newLines };
  const lines: Line[] = [];
  while (left.old > 0 || left.new > 0) {
    const text = cursor.lines[cursor.at];
    const kind = text === undefined ? undefined : kindOf(text);
    if (text === undefined || kind === undefined) return failAt(cursor, missing(left, found(cursor)));
    if (kind !== "add" && left.old-- === 0)
      return failAt(cursor, `more old lines than the ${range.oldLines} stated`);
    if (kind !== "delete" && left.new-- === 0) {
      return failAt(cursor, `more new lines than the ${range.newLines} stated`);
    }
    cursor.at++;
    const eol = !isNoNewline(cursor.lines[cursor.at]);
    const last = (kind === "add" || left.old === 0) && (kind === "delete" || left.new === 0);
    if (!eol && !last) return failAt(cursor, "a line without a newline is not the last of its side");
    if (!eol && text.length <= 1) return failAt(cursor, "an empty last line always has a newline");
    if (!eol) cursor.at++;
    lines.push({ kind, text: text.slice(1), eol });
  }
  return success(lines);
}

function kindOf(text: string): Line["kind"] | undefined {
  const sign = text.charCodeAt(0);
  if (sign === SPACE || text === "") return "context";
  if (sign === PLUS) return "add";
  return sign === MINUS ? "delete" : undefined;
}

function missing(left: { old: number; new: number }, instead: string): string {
  return `expected ${left.old} more old and ${left.new} more new lines in this hunk, found ${instead}`;
}
