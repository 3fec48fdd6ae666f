// Between a text and its lines. A line keeps its "\n"; only the last line of a text can lack it.

import { failure, type Result, success } from "../base/result.ts";

/** Puts `lines` in the place of `count` lines, the first numbered `start`, counted from 0. */
export type Edit = { readonly start: number; readonly count: number; readonly lines: readonly string[] };

/** The lines of a text with their "\n"; only the last can lack it. Split on "\n" alone: "\r" is content. */
export function splitLines(text: string): string[] {
  const lines = text.split("\n");
  const last = lines.pop()!;
  for (let i = 0; i < lines.length; i++) lines[i] += "\n";
  if (last !== "") lines.push(last);
  return lines;
}

/** Offset behind the line that starts at `at`. */
export function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end + 1;
}

/**
 * The text after edits that stand in order without overlap. An old last line without a newline gets one when
 * something comes to follow it; an added one must be the last. Of the `lines` of an edit only the last may lack it.
 */
export function replaceLines(text: string, edits: readonly Edit[]): Result<string> {
  const out: string[] = [];
  let [line, at, kept, open] = [0, 0, 0, false];
  const skipTo = (goal: number) => {
    for (; line < goal && at < text.length; line++) at = lineEnd(text, at);
    return line === goal;
  };
  for (const { start, count, lines } of edits) {
    if (start < line) return failure("overlaps the edit before it, or stands before it");
    if (!skipTo(start)) return failure(`out of range, the file has ${line} lines`);
    if (at > kept) out.push(text.slice(kept, at));
    if (!skipTo(start + count)) return failure(`out of range, the file has ${line} lines`);
    kept = at;
    if (lines.length === 0) continue;
    if (open) return failure(EARLY_END);
    if (out.length > 0 && !out.at(-1)!.endsWith("\n")) out.push("\n");
    for (const added of lines) out.push(added);
    open = !lines.at(-1)!.endsWith("\n");
    if (open && at < text.length) return failure(EARLY_END);
  }
  return success(out.join("") + text.slice(kept));
}

const EARLY_END = "an added line without a newline is not the last of the file";
