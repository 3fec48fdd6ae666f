// Turns prompts and answers into ids, for training and for use alike: prompt and answer are encoded apart, so that
// the border between them is always a border between tokens. BOS where the tokenizer's reference puts it, and EOS behind
// what an encoder reads.

import { type Result, success } from "../base/result.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Example } from "./example.ts";
import { answerOf, type Format } from "./format.ts";
import { type Request, requestOf } from "./request.ts";

/** A prompt and its answer as ids, and where the answer begins. */
export type Rendered = {
  /** BOS where it is due, prompt, answer, EOS. */
  readonly ids: Int32Array;
  /** Number of ids before the answer: what is not trained on. */
  readonly promptLength: number;
  /** UTF-8 bytes of the answer: the measure that tokenizers share. */
  readonly answerBytes: number;
  /** What it counts for in training, over 0 and at most 1. */
  readonly weight: number;
};

export type Texts = { readonly prompt: string; readonly answer: string; readonly weight: number };

/** All texts as ids, in order; they are encoded in one call. */
export async function renderTexts(
  tokenizer: Tokenizer,
  texts: readonly Texts[],
): Promise<readonly Rendered[]> {
  const ids = await tokenizer.encodeBatch(texts.flatMap(({ prompt, answer }) => [prompt, answer]));
  return texts.map(({ answer, weight }, i) => {
    const prompt = asPrompt(tokenizer, ids[2 * i]!);
    const whole = [...prompt, ...ids[2 * i + 1]!, tokenizer.eosId];
    return {
      ids: Int32Array.from(whole),
      promptLength: prompt.length,
      answerBytes: Buffer.byteLength(answer),
      weight,
    };
  });
}

/** One result for each example, its file shown whole, in order, however long: how large examples are by themselves. */
export async function renderExamples(
  tokenizer: Tokenizer,
  format: Format,
  examples: readonly Example[],
): Promise<readonly Result<Rendered>[]> {
  const answers = examples.map((example) => answerOf(format, example));
  const texts = answers.flatMap((answer, i) => {
    const { weight } = examples[i]!;
    return answer.ok
      ? [{ prompt: format.prompt(requestOf(examples[i]!)), answer: answer.value, weight }]
      : [];
  });
  const rendered = (await renderTexts(tokenizer, texts)).values();
  return answers.map((answer) => (answer.ok ? success(rendered.next().value!) : answer));
}

/** The ids that a model goes on from. */
export async function renderPrompt(
  tokenizer: Tokenizer,
  format: Format,
  request: Request,
): Promise<readonly number[]> {
  return asPrompt(tokenizer, await tokenizer.encode(format.prompt(request)));
}

function asPrompt(
  { addBos, bosId, closesPrompt, eosId }: Tokenizer,
  ids: readonly number[],
): readonly number[] {
  const begin = addBos && bosId !== undefined ? [bosId] : [];
  return [...begin, ...ids, ...(closesPrompt ? [eosId] : [])];
}
