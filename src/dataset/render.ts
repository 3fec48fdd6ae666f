// Turns examples and requests into ids, for training and for use alike: prompt and answer are encoded apart, so
// that the border between them is always a border between tokens. BOS where the tokenizer's reference puts it.

import { type Result, success } from "../base/result.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Example } from "./example.ts";
import type { Format } from "./format.ts";
import { type Request, requestOf } from "./request.ts";

/** An example as ids, and where its answer begins. */
export type Rendered = {
  /** BOS where it is due, prompt, answer, EOS. */
  readonly ids: Int32Array;
  /** Number of ids before the answer: what is not trained on. */
  readonly promptLength: number;
  /** UTF-8 bytes of the answer: the measure that tokenizers share. */
  readonly answerBytes: number;
};

/** One result for each example, in order; all texts are encoded in one call. */
export async function renderExamples(
  tokenizer: Tokenizer,
  format: Format,
  examples: readonly Example[],
): Promise<readonly Result<Rendered>[]> {
  const answers = examples.map((example) => format.answer(example));
  const texts = answers.flatMap((answer, i) =>
    answer.ok ? [format.prompt(requestOf(examples[i]!)), answer.value] : [],
  );
  const ids = (await tokenizer.encodeBatch(texts)).values();
  return answers.map((answer) => {
    if (!answer.ok) return answer;
    const prompt = withBos(tokenizer, ids.next().value!);
    const whole = [...prompt, ...ids.next().value!, tokenizer.eosId];
    return success({
      ids: Int32Array.from(whole),
      promptLength: prompt.length,
      answerBytes: Buffer.byteLength(answer.value),
    });
  });
}

/** The ids that a model goes on from. */
export async function renderPrompt(
  tokenizer: Tokenizer,
  format: Format,
  request: Request,
): Promise<readonly number[]> {
  return withBos(tokenizer, await tokenizer.encode(format.prompt(request)));
}

function withBos(tokenizer: Tokenizer, ids: readonly number[]): readonly number[] {
  return tokenizer.addBos && tokenizer.bosId !== undefined ? [tokenizer.bosId, ...ids] : ids;
}
