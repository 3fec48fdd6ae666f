// Computes the patch between two texts of a file: the fewest changed lines (Myers, by the `diff` package), context
// around them, and near hunks joined by git's rule (xdiff's xdl_get_hunk: at most twice the context between them).

import { diffArrays } from "diff";
import type { Hunk, Line, Patch } from "./hunk.ts";
import { splitLines } from "./text.ts";

/** `old` and `new` are `null` where there is no file. `from` makes the patch a rename; `mode` is for whole files. */
export type Change = {
  readonly path: string;
  readonly old: string | null;
  readonly new: string | null;
  readonly from?: string;
  readonly mode?: string;
  readonly context?: number;
};

/** A run of changed lines, counted from 0 on both sides. */
type Run = {
  readonly oldAt: number;
  readonly newAt: number;
  readonly oldEnd: number;
  readonly newEnd: number;
};

/** Beyond this many changed lines the whole middle counts as replaced: the search is quadratic in them. */
const MOST_EDITS = 2000;

/** The patch that turns `old` into `new`. Equal texts give a patch without hunks. */
export function createPatch(change: Change): Patch {
  const { path, from, mode = "100644" } = change;
  const oldLines = splitLines(change.old ?? "");
  const newLines = splitLines(change.new ?? "");
  const runs = change.old === change.new ? [] : findRuns(oldLines, newLines);
  const hunks = groupRuns(runs, change.context ?? 3).map((group) =>
    buildHunk(group, { oldLines, newLines, context: change.context ?? 3 }),
  );
  if (change.old === null) return { kind: "create", path, mode, hunks };
  if (change.new === null) return { kind: "delete", path, mode, hunks };
  return from === undefined || from === path
    ? { kind: "modify", path, hunks }
    : { kind: "rename", from, path, hunks };
}

function findRuns(oldLines: readonly string[], newLines: readonly string[]): Run[] {
  const shorter = Math.min(oldLines.length, newLines.length);
  let head = 0;
  while (head < shorter && oldLines[head] === newLines[head]) head++;
  let tail = 0;
  while (tail < shorter - head && oldLines.at(-1 - tail) === newLines.at(-1 - tail)) tail++;
  const oldEnd = oldLines.length - tail;
  const newEnd = newLines.length - tail;
  const middle = diffArrays(oldLines.slice(head, oldEnd), newLines.slice(head, newEnd), {
    maxEditLength: MOST_EDITS,
  });
  return middle === undefined ? [{ oldAt: head, newAt: head, oldEnd, newEnd }] : runsOf(middle, head);
}

type Piece = { readonly added?: boolean; readonly removed?: boolean; readonly count?: number };

function runsOf(pieces: readonly Piece[], start: number): Run[] {
  const runs: Run[] = [];
  let oldEnd = start;
  let newEnd = start;
  for (const { added, removed, count = 0 } of pieces) {
    const [oldAt, newAt] = [oldEnd, newEnd];
    if (!added) oldEnd += count;
    if (!removed) newEnd += count;
    if (!added && !removed) continue;
    const last = runs.at(-1);
    const joins = last !== undefined && last.oldEnd === oldAt && last.newEnd === newAt;
    if (joins) runs[runs.length - 1] = { ...last, oldEnd, newEnd };
    else runs.push({ oldAt, newAt, oldEnd, newEnd });
  }
  return runs;
}

function groupRuns(runs: readonly Run[], context: number): Run[][] {
  const groups: Run[][] = [];
  for (const run of runs) {
    const group = groups.at(-1);
    if (group !== undefined && run.oldAt - group.at(-1)!.oldEnd <= 2 * context) group.push(run);
    else groups.push([run]);
  }
  return groups;
}

type Sides = {
  readonly oldLines: readonly string[];
  readonly newLines: readonly string[];
  readonly context: number;
};

function buildHunk(runs: readonly Run[], { oldLines, newLines, context }: Sides): Hunk {
  const first = runs[0]!;
  const last = runs.at(-1)!;
  const before = Math.min(context, first.oldAt);
  const oldAt = first.oldAt - before;
  const newAt = first.newAt - before;
  const oldEnd = Math.min(oldLines.length, last.oldEnd + context);
  const lines: Line[] = [];
  let kept = oldAt;
  for (const run of runs) {
    for (const text of oldLines.slice(kept, run.oldAt)) lines.push(toLine("context", text));
    for (const text of oldLines.slice(run.oldAt, run.oldEnd)) lines.push(toLine("delete", text));
    for (const text of newLines.slice(run.newAt, run.newEnd)) lines.push(toLine("add", text));
    kept = run.oldEnd;
  }
  for (const text of oldLines.slice(kept, oldEnd)) lines.push(toLine("context", text));
  const newCount = last.newEnd + (oldEnd - last.oldEnd) - newAt;
  const oldCount = oldEnd - oldAt;
  return {
    oldStart: startNumber(oldAt, oldCount),
    oldLines: oldCount,
    newStart: startNumber(newAt, newCount),
    newLines: newCount,
    lines,
  };
}

/** The number an `@@` line shows for a place counted from 0: with no lines it is the line before. */
function startNumber(at: number, count: number): number {
  return count === 0 ? at : at + 1;
}

function toLine(kind: Line["kind"], text: string): Line {
  const eol = text.endsWith("\n");
  return { kind, text: eol ? text.slice(0, -1) : text, eol };
}
