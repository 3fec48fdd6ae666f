// The answer formats, as a table: what the prompt shows, what the answer is, and how an answer becomes a patch.
// Whatever the format, the program writes the diff. Prompts and answers are plain text that any tokenizer takes.

import { failure, type Result, success } from "../base/result.ts";
import { type Change, createPatch } from "../patch/create.ts";
import { type Patch, pathBefore } from "../patch/hunk.ts";
import { parsePatch } from "../patch/parse.ts";
import type { Example } from "./example.ts";
import { type DiffReading, diffAnswer, diffPrompt, readDiff } from "./raw-diff.ts";
import { readRegion, regionAnswer, regionPrompt } from "./region.ts";
import type { Request } from "./request.ts";

/** The answer formats by name; `region` is the default. */
export type FormatName = "region" | "diff";

/** An answer format: what the model reads, what it writes, and what that means. Nothing here throws. */
export type Format = {
  readonly name: FormatName;
  readonly summary: string;
  /** What the model reads; ends with the line that opens the answer. */
  prompt(request: Request): string;
  /** What the model is to write; fails with a reason for a change that the format cannot express. `known` is the
   * example's patch, for who has it already. */
  answer(example: Example, known?: Patch): Result<string>;
  /** The patch that an answer means; fails with a reason for one that means none. */
  parse(answer: string, request: Request): Result<Patch>;
  /** The same as texts before and after: cheaper, for who needs no patch. */
  read(answer: string, request: Request): Result<Change>;
};

/** The table of answer formats. */
export const formats: Readonly<Record<FormatName, Format>> = {
  region: {
    name: "region",
    summary: "numbered lines in the prompt, line ranges with their new text in the answer",
    prompt: regionPrompt,
    answer: (example, known) => withPatch(example, known, regionAnswer),
    parse: (answer, request) => map(readRegion(answer, request), createPatch),
    read: readRegion,
  },
  diff: {
    name: "diff",
    summary: "message, path and content in the prompt, a git diff in the answer",
    prompt: diffPrompt,
    answer: (example, known) => withPatch(example, known, (patch) => diffAnswer(patch, example.diff)),
    parse: (answer, request) => map(readDiff(answer, request), (reading) => reading.patch),
    read: (answer, request) => map(readDiff(answer, request), (reading) => changeOf(reading, request)),
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

function map<A, B>(result: Result<A>, convert: (value: A) => B): Result<B> {
  return result.ok ? success(convert(result.value)) : result;
}

function changeOf({ patch, text }: DiffReading, { old }: Request): Change {
  const base = { path: patch.path, old, new: text };
  if ("mode" in patch) return { ...base, mode: patch.mode };
  return "from" in patch ? { ...base, from: patch.from } : base;
}

function withPatch(
  example: Example,
  known: Patch | undefined,
  answer: (patch: Patch) => Result<string>,
): Result<string> {
  const patch = known === undefined ? patchOf(example) : success(known);
  return patch.ok ? answer(patch.value) : patch;
}
