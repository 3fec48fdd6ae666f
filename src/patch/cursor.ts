// A place in the lines of a diff, and failures that name it. Shared by the readers of headers and of hunks.

import { failure } from "../base/result.ts";

export type Cursor = { readonly lines: readonly string[]; at: number };

/** A failure at the line that the cursor stands on, or `back` lines before it. */
export function failAt(cursor: Cursor, message: string, back = 0) {
  return failure(`line ${cursor.at + 1 - back}: ${message}`);
}

/** What the cursor stands on, shortened for a sentence. */
export function found(cursor: Cursor): string {
  const line = cursor.lines[cursor.at];
  return line === undefined ? "the end of the text" : showLine(line);
}

/** A line quoted for a sentence: control characters escaped, long ones cut. */
export function showLine(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
