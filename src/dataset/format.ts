// The answer formats, as a table: what the prompt shows, what the answer is, and how an answer becomes patches.
// Whatever the format, the program writes the diff. Prompts and answers are plain text that any tokenizer takes.

import { failure, type Result, success } from "../base/result.ts";
import { type Change, createPatch } from "../patch/create.ts";
import { type Patch, pathBefore } from "../patch/hunk.ts";
import { parsePatch } from "../patch/parse.ts";
import type { Example } from "./example.ts";
import {
  DIFF_GAP,
  type DiffReading,
  diffAnswer,
  diffPrompt,
  readDiff,
  type WantedChange,
} from "./raw-diff.ts";
import { REGION_GAP, readRegion, regionAnswer, regionGutter, regionPrompt } from "./region.ts";
import { type Request, requestOf } from "./request.ts";

/** The answer formats by name; `region` is the default. */
export type FormatName = "region" | "diff";

/** An answer format: what the model reads, what it writes, and what that means. Nothing here throws. */
export type Format = {
  readonly name: FormatName;
  readonly summary: string;
  /** What the model reads; ends with the line that opens the answer. */
  prompt(request: Request): string;
  /** What stands in front of a line of a file, counted from 0, and about what a gap between pieces costs. */
  gutter(index: number): string;
  readonly gap: string;
  /** What the model is to write; fails with a reason for a change that the format cannot express, or whose lines are
   * not shown (`OUTSIDE`). `wanted` are the changes of the files to change, in their order. */
  answer(request: Request, wanted: readonly WantedChange[]): Result<string>;
  /** The patches that an answer means, of different files to change; fails with a reason for one that means none. */
  parse(answer: string, request: Request): Result<readonly Patch[]>;
  /** The same as texts before and after: cheaper, for who needs no patches. */
  read(answer: string, request: Request): Result<readonly Change[]>;
};

/** The table of answer formats. */
export const formats: Readonly<Record<FormatName, Format>> = {
  region: {
    name: "region",
    summary: "numbered lines in the prompt, line ranges with their new text in the answer",
    prompt: regionPrompt,
    gutter: regionGutter,
    gap: REGION_GAP,
    answer: (request, wanted) =>
      regionAnswer(
        request,
        wanted.map(({ patch }) => patch),
      ),
    parse: (answer, request) =>
      map(requireNames(request, readRegion(answer, request), moveOf), (all) => all.map(createPatch)),
    read: (answer, request) => requireNames(request, readRegion(answer, request), moveOf),
  },
  diff: {
    name: "diff",
    summary: "message, path and content in the prompt, a git diff in the answer",
    prompt: diffPrompt,
    gutter: () => "",
    gap: DIFF_GAP,
    answer: diffAnswer,
    parse: (answer, request) => map(readDiffs(answer, request), (all) => all.map(({ patch }) => patch)),
    read: (answer, request) => map(readDiffs(answer, request), (all) => all.map(changeOf)),
  },
};

/** What is used when no format is given. */
export const DEFAULT_FORMAT: FormatName = "region";

/** The one patch of an example's diff. */
export function patchOf(example: Example): Result<Patch> {
  const patches = parsePatch(example.diff);
  if (!patches.ok) return patches;
  const [patch, ...rest] = patches.value;
  if (patch === undefined || rest.length > 0) return failure(`a diff of ${patches.value.length} files`);
  return pathBefore(patch) === example.path ? success(patch) : failure("a diff of another path");
}

/** The answer of an example whose file is shown whole. `known` is its patch, for who has it already. */
export function answerOf(format: Format, example: Example, known?: Patch): Result<string> {
  const patch = known === undefined ? patchOf(example) : success(known);
  return patch.ok ? format.answer(requestOf(example), [{ patch: patch.value, diff: example.diff }]) : patch;
}

function map<A, B>(result: Result<A>, convert: (value: A) => B): Result<B> {
  return result.ok ? success(convert(result.value)) : result;
}

function readDiffs(answer: string, request: Request): Result<readonly DiffReading[]> {
  return requireNames(request, readDiff(answer, request), ({ patch }) => moveOf(patch));
}

function changeOf({ file: { old }, patch, text }: DiffReading): Change {
  const base = { path: patch.path, old, new: text };
  if ("mode" in patch) return { ...base, mode: patch.mode };
  return "from" in patch ? { ...base, from: patch.from } : base;
}

/** The name that a file gets, if it gets another. */
function moveOf(change: Patch | Change): string | undefined {
  return "from" in change ? change.path : undefined;
}

/** No file may take the name of another one of the request, or of its answer. */
function requireNames<T>(
  request: Request,
  items: Result<readonly T[]>,
  nameOf: (item: T) => string | undefined,
): Result<readonly T[]> {
  if (!items.ok) return items;
  const names = new Set(request.files.map(({ path }) => path));
  for (const item of items.value) {
    const name = nameOf(item);
    if (name !== undefined && names.has(name)) return failure("a file would take the name of another");
    if (name !== undefined) names.add(name);
  }
  return items;
}
