// What pieces of text cost in tokens and which words they have, remembered by text: the versions of a file share most
// of their lines. A sum of such costs is near the cost of the whole, no more; what counts is checked on real ids.

import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { termsOf } from "./window.ts";

export type Measure = {
  /** Must have seen a text before its cost is asked for. */
  learn(texts: Iterable<string>): Promise<void>;
  /** Tokens of a text. */
  cost(text: string): number;
  /** Its words, as `termsOf` has them. */
  terms(text: string): readonly string[];
};

/** Texts that are remembered; beyond that all are forgotten and learnt again as they come. */
const MOST_TEXTS = 400_000;
/** Texts and characters that are encoded in one call: the tokenizer's working memory is some hundred times its text. */
const TOGETHER = { texts: 10_000, characters: 200_000 };

export function createMeasure(tokenizer: Tokenizer): Measure {
  const costs = new Map<string, number>();
  const words = new Map<string, readonly string[]>();
  const encode = async (texts: readonly string[]) => {
    const ids = await tokenizer.encodeBatch(texts);
    texts.forEach((text, i) => {
      costs.set(text, ids[i]!.length);
    });
  };
  return {
    learn: async (texts) => {
      if (costs.size > MOST_TEXTS) costs.clear();
      if (words.size > MOST_TEXTS) words.clear();
      const unknown = new Set<string>();
      let characters = 0;
      for (const text of texts) {
        if (costs.has(text) || unknown.has(text)) continue;
        unknown.add(text);
        characters += text.length;
        if (unknown.size < TOGETHER.texts && characters < TOGETHER.characters) continue;
        await encode([...unknown]);
        unknown.clear();
        characters = 0;
      }
      if (unknown.size > 0) await encode([...unknown]);
    },
    cost: (text) => {
      const cost = costs.get(text);
      if (cost === undefined)
        throw new Error(`Expected a text that was learnt, found ${JSON.stringify(text)}`);
      return cost;
    },
    terms: (text) => {
      const known = words.get(text);
      if (known !== undefined) return known;
      const terms = termsOf(text);
      words.set(text, terms);
      return terms;
    },
  };
}
