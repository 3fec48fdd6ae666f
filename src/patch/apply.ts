// Applies a patch to the text of one file, strictly: every context and deleted line must stand exactly where the
// hunk says, newline at the end of the file included. No fuzz and no search: that is `repair.ts`.

import { failure, type Result, success } from "../base/result.ts";
import { showLine } from "./cursor.ts";
import type { Hunk, Line, Patch } from "./hunk.ts";
import { startIndex } from "./lines.ts";
import { lineEnd } from "./text.ts";

/** A walk through the old text: `at` is the offset of the line numbered `line`, counted from 0. */
type Walk = { readonly text: string; at: number; line: number; kept: number; readonly out: string[] };

/** The text after the patch, or the first place where it does not fit. `null` stands for no file: before a creation,
 * after a deletion. */
export function applyPatch(patch: Patch, old: string | null): Result<string | null> {
  if (patch.kind === "binary") return failure("a binary change has no lines to apply");
  if (patch.kind === "create" && old !== null) return failure("the file to create is already there");
  if (patch.kind !== "create" && old === null) return failure(`there is no file to ${patch.kind}`);
  const result = applyHunks(patch.hunks, old ?? "");
  if (!result.ok || patch.kind !== "delete") return result;
  return result.value === ""
    ? success(null)
    : failure("the file to delete has lines that the patch does not show");
}

function applyHunks(hunks: readonly Hunk[], text: string): Result<string> {
  const walk: Walk = { text, at: 0, line: 0, kept: 0, out: [] };
  for (const [index, hunk] of hunks.entries()) {
    const wrong = applyHunk(walk, hunk);
    if (wrong !== undefined) return failure(`hunk ${index + 1}: ${wrong}`);
  }
  const wrong = push(walk, text.slice(walk.kept));
  return wrong === undefined ? success(walk.out.join("")) : failure(wrong);
}

/** Applies one hunk; says what is wrong, if anything. */
function applyHunk(walk: Walk, hunk: Hunk): string | undefined {
  const begin = startIndex(hunk.oldStart, hunk.oldLines);
  if (begin < walk.line) return "overlaps the one before it";
  while (walk.line < begin) {
    if (walk.at === walk.text.length)
      return `starts at line ${begin + 1}, but the file has ${walk.line} lines`;
    nextLine(walk);
  }
  for (const line of hunk.lines) {
    const wrong = applyLine(walk, line);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function applyLine(walk: Walk, line: Line): string | undefined {
  if (line.kind === "add") {
    const wrong = keepUntil(walk, walk.at);
    return wrong ?? push(walk, line.eol ? `${line.text}\n` : line.text);
  }
  if (!matches(walk, line)) return mismatch(walk, line);
  if (line.kind === "context") {
    nextLine(walk);
    return undefined;
  }
  const wrong = keepUntil(walk, walk.at);
  nextLine(walk);
  walk.kept = walk.at;
  return wrong;
}

function matches({ text, at }: Walk, line: Line): boolean {
  const end = at + line.text.length;
  if (at === text.length || !text.startsWith(line.text, at)) return false;
  return line.eol ? text.charCodeAt(end) === 10 : end === text.length;
}

function nextLine(walk: Walk): void {
  walk.at = lineEnd(walk.text, walk.at);
  walk.line++;
}

/** Copies the old text that was passed over since the last change. */
function keepUntil(walk: Walk, end: number): string | undefined {
  const kept = walk.text.slice(walk.kept, end);
  walk.kept = end;
  return push(walk, kept);
}

function push(walk: Walk, piece: string): string | undefined {
  if (piece === "") return undefined;
  const last = walk.out.at(-1);
  if (last !== undefined && !last.endsWith("\n")) return "text would follow a line that has no newline";
  walk.out.push(piece);
  return undefined;
}

function mismatch(walk: Walk, line: Line): string {
  const rest = walk.text.slice(walk.at, walk.at + line.text.length + 100);
  const end = rest.indexOf("\n");
  const actual = rest === "" ? "the end of the file" : showLine(end < 0 ? rest : rest.slice(0, end));
  const wanted = showLine(line.text);
  if (actual === wanted) {
    return `expected line ${walk.line + 1} to have ${line.eol ? "a" : "no"} newline at its end`;
  }
  return `expected line ${walk.line + 1} to be ${wanted}, found ${actual}`;
}
