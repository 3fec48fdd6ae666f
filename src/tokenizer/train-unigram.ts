// Trains a Unigram tokenizer on texts. What it has no piece for it writes byte by byte, and no character is changed on
// the way, so that every text comes back whole. Ours because the library's Node binding offers no Unigram trainer.

import { UserError } from "../base/errors.ts";
import { bytePieces } from "./byte-pieces.ts";
import { addedToken } from "./json.ts";
import { loadTokenizer } from "./load.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { learnPieces, type ScoredPiece } from "./unigram.ts";
import { packWords } from "./words.ts";

export type UnigramTraining = {
  /** Special tokens, the unknown piece, the 256 bytes and the pieces together. */
  readonly vocabSize: number;
  /** They get the first ids; the first of them ends a sequence. */
  readonly specialTokens: readonly [string, ...string[]];
};

const UNKNOWN = "<unk>";

/**
 * A digit, or a word, a run of signs or of white space, with one space before it. It cuts the spelling of a byte's
 * piece (<0x0A>) in four, so that a text can never mean one.
 */
const WORDS = String.raw`\p{N}| ?[\p{L}_]+| ?[^\s\p{L}\p{N}_]+|\s+(?!\S)|\s+`;

/** Letters that make up this share of the text get pieces of their own; the others are written in bytes. */
const COVERAGE = 0.9995;

/** The same tokenizer for the same texts in the same order. */
export function trainUnigram(texts: Iterable<string>, settings: UnigramTraining): Tokenizer {
  const fixed = settings.specialTokens.length + 1 + bytePieces.length;
  const counts = countWords(texts);
  const letters = commonLetters(counts);
  if (settings.vocabSize < fixed + letters.size) {
    throw new UserError(
      `Expected a vocabulary of at least ${fixed + letters.size} (special tokens, bytes and the letters of these texts), found ${settings.vocabSize}`,
    );
  }
  const pieces = learnPieces(packWords(counts), { size: settings.vocabSize - fixed, letters });
  return loadTokenizer({
    "tokenizer.json": `${JSON.stringify(tokenizerJson(pieces, settings.specialTokens))}\n`,
    "tokenizer_config.json": `${JSON.stringify(tokenizerConfig(settings.specialTokens[0]), null, 2)}\n`,
  });
}

function countWords(texts: Iterable<string>): Map<string, number> {
  const words = new RegExp(WORDS, "gu");
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(words)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

function commonLetters(counts: ReadonlyMap<string, number>): Set<number> {
  const letters = new Map<number, number>();
  let total = 0;
  for (const [word, count] of counts) {
    for (const letter of word) {
      const point = letter.codePointAt(0)!;
      letters.set(point, (letters.get(point) ?? 0) + count);
      total += count;
    }
  }
  const common = new Set<number>();
  let covered = 0;
  for (const [point, count] of [...letters].sort((a, b) => b[1] - a[1] || a[0] - b[0])) {
    if (covered >= total * COVERAGE) break;
    common.add(point);
    covered += count;
  }
  return common;
}

function tokenizerJson(pieces: readonly ScoredPiece[], special: readonly string[]): unknown {
  const lowest = pieces.reduce((least, { score }) => Math.min(least, score), 0);
  const first = [...special, UNKNOWN];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: first.map((content, id) => addedToken(content, id, true)),
    normalizer: null,
    pre_tokenizer: { type: "Split", pattern: { Regex: WORDS }, behavior: "Isolated", invert: false },
    post_processor: null,
    decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] },
    model: {
      type: "Unigram",
      unk_id: special.length,
      byte_fallback: true,
      vocab: [
        ...first.map((content) => [content, 0]),
        ...bytePieces.map((piece) => [piece, lowest]),
        ...pieces.map(({ points, score }) => [String.fromCodePoint(...points), score]),
      ],
    },
  };
}

function tokenizerConfig(eos: string): Record<string, unknown> {
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    add_bos_token: false,
    eos_token: eos,
    unk_token: UNKNOWN,
    clean_up_tokenization_spaces: false,
  };
}
