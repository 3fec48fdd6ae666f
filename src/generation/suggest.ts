// From a request to a change: decodes an answer greedily, turns it into patches and proves them before anyone sees
// them: each must apply to its file as it is and change it. What does not pass is a reason, never a half-right diff.

import { UserError } from "../base/errors.ts";
import { failure, type Result, success } from "../base/result.ts";
import type { Format } from "../dataset/format.ts";
import { renderPrompt } from "../dataset/render.ts";
import { filesToChange, type Request } from "../dataset/request.ts";
import { applyPatch } from "../patch/apply.ts";
import { type Patch, pathBefore } from "../patch/hunk.ts";
import { parsePatch } from "../patch/parse.ts";
import { printPatch } from "../patch/print.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { AnswerDecoder } from "./answer-decoder.ts";

/** Everything that writes answers: network, tokenizer, format and limits. */
export type Writer = {
  readonly decoder: AnswerDecoder;
  readonly tokenizer: Tokenizer;
  readonly format: Format;
  /** Ids of an answer at most; an answer that has not ended by then is refused. */
  readonly max_new_tokens: number;
  readonly signal: AbortSignal;
};

export type Answer = {
  readonly text: string;
  /** Whether the model ended it. */
  readonly ended: boolean;
  readonly promptTokens: number;
  readonly tokens: number;
  readonly seconds: number;
};

/** The proven change of a file: its path before, and its content after (`null` where it is deleted). */
export type FileChange = { readonly before: string; readonly patch: Patch; readonly after: string | null };

/** A proven change: the diffs of all its files as git prints them, one after another. */
export type Change = { readonly files: readonly FileChange[]; readonly diff: string };

/** What the model wrote, and the change it proves to be, or why it is none. */
export type Suggestion = { readonly answer: Answer; readonly change: Result<Change> };

/** Asks the model for one change. Throws a `UserError` when the request is longer than the context. */
export async function suggest(writer: Writer, request: Request): Promise<Suggestion> {
  const answer = await writeAnswer(writer, request);
  if (!answer.ended) {
    const change = failure(`the answer did not end within ${answer.tokens} tokens`);
    return { answer, change };
  }
  return { answer, change: proveAnswer(writer.format, answer.text, request) };
}

/** The change that an answer means, applied in memory through the very text that will be printed. */
export function proveAnswer(format: Format, answer: string, request: Request): Result<Change> {
  const patches = format.parse(answer, request);
  if (!patches.ok) return patches;
  const diff = patches.value.map(printPatch).join("");
  const printed = parsePatch(diff);
  if (!printed.ok) return failure(`the diff does not read back: ${printed.reason}`);
  if (printed.value.length !== patches.value.length) return failure("the diff reads back as other files");
  const files: FileChange[] = [];
  for (const patch of printed.value) {
    const proven = provePatch(patch, request);
    if (!proven.ok) return proven;
    files.push(proven.value);
  }
  return files.length === 0 ? failure("the answer changes nothing") : success({ files, diff });
}

function provePatch(patch: Patch, request: Request): Result<FileChange> {
  const before = pathBefore(patch);
  const file = filesToChange(request).find(({ path }) => path === before);
  if (file === undefined) return failure("the diff is of a file that is not to change");
  const after = applyPatch(patch, file.old);
  if (!after.ok) return failure(`the diff does not apply: ${after.reason}`);
  if (after.value === file.old && patch.kind !== "rename") return failure("the answer changes nothing");
  return success({ before, patch, after: after.value });
}

/** Ids of an answer that a request must leave room for, however few are asked for. */
const LEAST_ANSWER = 16;

async function writeAnswer(writer: Writer, request: Request): Promise<Answer> {
  const { decoder, tokenizer } = writer;
  const started = performance.now();
  const prompt = await renderPrompt(tokenizer, writer.format, request);
  const { room } = decoder;
  if (prompt.length + LEAST_ANSWER > room) {
    throw new UserError(
      `Expected a request of at most ${room - LEAST_ANSWER} tokens, which is what this model's context leaves, found ${prompt.length}; give a shorter message, or fewer files`,
    );
  }
  const most = Math.min(writer.max_new_tokens, room - prompt.length);
  const ids: number[] = [];
  let next = argmax(await decoder.begin(prompt));
  while (next !== tokenizer.eosId && ids.length < most) {
    writer.signal.throwIfAborted();
    ids.push(next);
    next = argmax(await decoder.next(next));
  }
  return {
    text: await tokenizer.decode(ids),
    ended: next === tokenizer.eosId,
    promptTokens: prompt.length,
    tokens: ids.length,
    seconds: (performance.now() - started) / 1000,
  };
}

/** The first of the largest: equal logits must not depend on anything else. */
export function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
