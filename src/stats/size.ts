// How large examples are for a model: prompt and answer of one whole file each, in tokens where a tokenizer is given,
// else in UTF-8 bytes. What is longer than the model's context is seen through a window, which is not measured here.

import type { Example } from "../dataset/example.ts";
import { answerOf, type Format } from "../dataset/format.ts";
import { renderTexts, type Texts } from "../dataset/render.ts";
import { requestOf } from "../dataset/request.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** What a model brings with it. */
export type ForModel = {
  readonly name: string;
  readonly tokenizer: Tokenizer;
  /** Tokens that it can look at. */
  readonly context: number;
};

/** Sizes of examples, in order; null for what the answer format has no words for. */
export type Sizer = (examples: readonly Example[]) => Promise<readonly (number | null)[]>;

export function sizerFor(format: Format, model: ForModel | null): Sizer {
  return async (examples) => {
    const texts = examples.map((example) => textsOf(format, example));
    if (model === null) return texts.map((text) => text && bytesOf(text));
    const rendered = (
      await renderTexts(
        model.tokenizer,
        texts.filter((text) => text !== null),
      )
    ).values();
    return texts.map((text) => text && rendered.next().value!.ids.length);
  };
}

function textsOf(format: Format, example: Example): Texts | null {
  const answer = answerOf(format, example);
  if (!answer.ok) return null;
  return { prompt: format.prompt(requestOf(example)), answer: answer.value, weight: example.weight };
}

function bytesOf({ prompt, answer }: Texts): number {
  return Buffer.byteLength(prompt) + Buffer.byteLength(answer);
}

/** Sizes of many things: how many, and the sizes that a share of them does not exceed. */
export type Spread = {
  readonly count: number;
  readonly least: number;
  readonly quarter: number;
  readonly median: number;
  readonly threeQuarters: number;
  readonly ninetyFive: number;
  readonly most: number;
};

/** Of sizes in any order; all zero for none. */
export function spreadOf(sizes: readonly number[]): Spread {
  const sorted = [...sizes].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return {
    count: sorted.length,
    least: at(0),
    quarter: at(0.25),
    median: at(0.5),
    threeQuarters: at(0.75),
    ninetyFive: at(0.95),
    most: at(1),
  };
}

export type Bin = { readonly from: number; readonly to: number; readonly count: number };

/** How many sizes lie between powers of two; bins below the smallest and above the largest size are left out. */
export function binSizes(sizes: readonly number[]): readonly Bin[] {
  if (sizes.length === 0) return [];
  const placeOf = (size: number) => Math.floor(Math.log2(Math.max(1, size)));
  const counts = new Map<number, number>();
  for (const size of sizes) counts.set(placeOf(size), (counts.get(placeOf(size)) ?? 0) + 1);
  const first = Math.min(...counts.keys());
  const last = Math.max(...counts.keys());
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const place = first + i;
    return { from: 2 ** place, to: 2 ** (place + 1), count: counts.get(place) ?? 0 };
  });
}
