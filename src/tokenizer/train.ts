// Trains a byte-level BPE tokenizer on texts: the most frequent pair of neighbours becomes a token, again and again
// (Sennrich et al., 2016). Ties go to the pair of lower ids, as in the tokenizers library, whose trainer gives the
// same merges (tested). Ours because that library's Node binding trains on files line by line, so that a line break
// could never join the indent after it, and takes no vocabulary size.

import { UserError } from "../base/errors.ts";
import { byteLetters, toByteLetters } from "./bytes.ts";
import { byteLevelBpe } from "./json.ts";
import { loadTokenizer } from "./load.ts";
import { PairQueue, pairKey, pairOf } from "./pair-queue.ts";
import { digitsThenWords } from "./pretokenizers.ts";
import type { Tokenizer } from "./tokenizer.ts";

export type BpeSettings = {
  /** Special tokens, the 256 bytes and the merges together; the result is smaller when there is no more to merge. */
  readonly vocabSize: number;
  /** They get the first ids; the first of them ends a sequence. */
  readonly specialTokens: readonly [string, ...string[]];
};

/** A pair that occurs once teaches nothing. */
const LEAST_COUNT = 2;

/** Digits one by one, then GPT-2's words: what `digitsThenWords` does, for counting. */
const WORDS =
  /\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?![^\p{White_Space}\p{N}])|\p{White_Space}+/gu;

/** The same tokenizer for the same texts in the same order, on every machine. */
export function trainBpe(texts: Iterable<string>, settings: BpeSettings): Tokenizer {
  const least = settings.specialTokens.length + byteLetters.length;
  if (settings.vocabSize < least) {
    throw new UserError(
      `Expected a vocabulary of at least ${least} (special tokens and bytes), found ${settings.vocabSize}`,
    );
  }
  const tokens = [...settings.specialTokens, ...byteLetters];
  const merges = learnMerges(countWords(texts), tokens, settings.vocabSize);
  return loadTokenizer({
    "tokenizer.json": `${JSON.stringify(tokenizerJson(tokens, merges, settings.specialTokens))}\n`,
    "tokenizer_config.json": `${JSON.stringify(tokenizerConfig(settings.specialTokens[0]), null, 2)}\n`,
  });
}

function countWords(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** A distinct word: how often it occurs and the tokens it consists of so far. */
type Word = { readonly count: number; ids: number[] };

/** Extends `tokens` up to `vocabSize`; returns the merges in order. */
function learnMerges(
  counts: ReadonlyMap<string, number>,
  tokens: string[],
  vocabSize: number,
): [string, string][] {
  const letterIds = new Map(tokens.map((token, id) => [token, id]));
  const words: Word[] = Array.from(counts, ([word, count]) => ({
    count,
    ids: toByteLetters(word).map((letter) => letterIds.get(letter)!),
  }));
  const pairs = new PairTable(words);
  const queue = new PairQueue(pairs.counts);
  const merges: [string, string][] = [];
  while (tokens.length < vocabSize) {
    const best = queue.pop();
    if (best === undefined || best.count < LEAST_COUNT) break;
    const [left, right] = pairOf(best.key);
    merges.push([tokens[left]!, tokens[right]!]);
    tokens.push(tokens[left]! + tokens[right]!);
    for (const key of pairs.merge(best.key, tokens.length - 1)) queue.push(key);
  }
  return merges;
}

/** How often each pair of neighbours occurs, and in which words. */
class PairTable {
  readonly counts = new Map<number, number>();
  readonly #places = new Map<number, Set<Word>>();

  constructor(words: readonly Word[]) {
    for (const word of words) this.#count(word, 1);
  }

  /** Makes the pair one token in every word that has it; returns the pairs that the new token forms. */
  merge(key: number, newId: number): Set<number> {
    const [left, right] = pairOf(key);
    const formed = new Set<number>();
    for (const word of this.#places.get(key) ?? []) {
      this.#count(word, -1);
      word.ids = mergeIn(word.ids, [left, right], newId);
      this.#count(word, 1);
      for (const pair of neighbours(word.ids)) {
        const [first, second] = pairOf(pair);
        if (first === newId || second === newId) formed.add(pair);
      }
    }
    this.#places.delete(key);
    return formed;
  }

  #count(word: Word, sign: 1 | -1): void {
    for (const key of neighbours(word.ids)) {
      const count = (this.counts.get(key) ?? 0) + sign * word.count;
      if (count === 0) this.counts.delete(key);
      else this.counts.set(key, count);
      if (sign === 1) this.#placesOf(key).add(word);
    }
  }

  /** A word may stay listed under a pair that it has lost; merging it then changes nothing. */
  #placesOf(key: number): Set<Word> {
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const places = new Set<Word>();
    this.#places.set(key, places);
    return places;
  }
}

function* neighbours(ids: readonly number[]): Generator<number> {
  for (let i = 1; i < ids.length; i++) yield pairKey(ids[i - 1]!, ids[i]!);
}

function mergeIn(ids: readonly number[], [left, right]: readonly [number, number], newId: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    const together = ids[i] === left && ids[i + 1] === right;
    out.push(together ? newId : ids[i]!);
    if (together) i++;
  }
  return out;
}

function tokenizerJson(
  tokens: readonly string[],
  merges: readonly [string, string][],
  special: readonly string[],
): unknown {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: digitsThenWords,
    post_processor: null,
    ...byteLevelBpe(tokens, merges, false),
  };
}

function tokenizerConfig(eos: string): Record<string, unknown> {
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    add_bos_token: false,
    eos_token: eos,
    clean_up_tokenization_spaces: false,
  };
}
