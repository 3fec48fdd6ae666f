// From a request to a change: decodes an answer greedily, turns it into a patch and proves the patch before anyone
// sees it: it must apply to the file as it is and change it. What does not pass is a reason, never a half-right diff.

import { UserError } from "../base/errors.ts";
import { failure, type Result, success } from "../base/result.ts";
import type { Format } from "../dataset/format.ts";
import { renderPrompt } from "../dataset/render.ts";
import type { Request } from "../dataset/request.ts";
import { applyPatch } from "../patch/apply.ts";
import type { Patch } from "../patch/hunk.ts";
import { parsePatch } from "../patch/parse.ts";
import { printPatch } from "../patch/print.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Decoder } from "./decoder.ts";

/** Everything that writes answers: network, tokenizer, format and limits. */
export type Writer = {
  readonly decoder: Decoder;
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

/** A proven change: the diff as git prints it, and the file after it (`null` where it is deleted). */
export type Change = { readonly patch: Patch; readonly diff: string; readonly after: string | null };

/** What the model wrote, and the change it proves to be, or why it is none. */
export type Suggestion = { readonly answer: Answer; readonly change: Result<Change> };

/** Asks the model for one change. Throws a `UserError` when the request is longer than the context. */
export async function suggest(writer: Writer, request: Request): Promise<Suggestion> {
  const answer = await writeAnswer(writer, request);
  if (!answer.ended) {
    const change = failure(`the answer did not end within ${writer.max_new_tokens} tokens`);
    return { answer, change };
  }
  return { answer, change: proveAnswer(writer.format, answer.text, request) };
}

/** The change that an answer means, applied in memory through the very text that will be printed. */
export function proveAnswer(format: Format, answer: string, request: Request): Result<Change> {
  const patch = format.parse(answer, request);
  if (!patch.ok) return patch;
  const diff = printPatch(patch.value);
  const printed = parsePatch(diff);
  if (!printed.ok) return failure(`the diff does not read back: ${printed.reason}`);
  const after = applyPatch(printed.value[0]!, request.old);
  if (!after.ok) return failure(`the diff does not apply: ${after.reason}`);
  if (after.value === request.old && patch.value.kind !== "rename")
    return failure("the answer changes nothing");
  return success({ patch: patch.value, diff, after: after.value });
}

async function writeAnswer(writer: Writer, request: Request): Promise<Answer> {
  const { decoder, tokenizer } = writer;
  const started = performance.now();
  const prompt = await renderPrompt(tokenizer, writer.format, request);
  const room = Math.min(decoder.capacity, decoder.model.max_position_embeddings);
  if (prompt.length + 16 > room) {
    throw new UserError(
      `Expected a request of at most ${room - 16} tokens, which is what this model's context leaves, found ${prompt.length} for ${request.path}; name a shorter file`,
    );
  }
  decoder.truncate(0);
  const most = Math.min(writer.max_new_tokens, room - prompt.length);
  const ids: number[] = [];
  let next = argmax(await decoder.append(prompt));
  while (next !== tokenizer.eosId && ids.length < most) {
    writer.signal.throwIfAborted();
    ids.push(next);
    next = argmax(await decoder.append([next]));
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
