// Extends a base's tokenizer by what it cannot write, found from a repository's own texts and from a round trip: letters
// it drops, white space, words that it has to cut. After that every text comes back whole. Each new token says which
// rows of the base it is to begin as the mean of; rows themselves are not known here. 2022's extend_tokenizer.py did
// this for a list of twelve characters.

import { bytePieces } from "./byte-pieces.ts";
import { byteLetters, textOfByteLetters } from "./bytes.ts";
import { parseObject, parseTokenizerJson, type TokenizerJson } from "./json.ts";
import { loadTokenizer } from "./load.ts";
import { isByteLevel, type Lossless, losslessJson, lowestScore } from "./lossless.ts";
import type { Tokenizer } from "./tokenizer.ts";

export type ExtensionSettings = {
  /** Words and runs of white space that become tokens, at most; letters come on top of it. */
  readonly words: number;
};

/** The row of a new token in a model's embedding (and head) begins as the mean of rows that were there. */
export type RowRecipe = { readonly id: number; readonly from: readonly number[] };

export type Extension = {
  readonly tokenizer: Tokenizer;
  /** In the order of their ids, which follow those of the base. */
  readonly rows: readonly RowRecipe[];
  /** Spellings of the new tokens, and how often they occur in the texts. */
  readonly added: readonly { readonly id: number; readonly token: string; readonly count: number }[];
  /** Texts that came back whole before, and that do now: all. */
  readonly wholeBefore: number;
  readonly wholeAfter: number;
};

/** Letters that make up code; they become tokens wherever they are missing, also where these texts have none. */
const ALWAYS = ["\n", "\t", "\r", ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))];
/** A letter that occurs less often is written in bytes. */
const LEAST_LETTERS = 2;
const MOST_LETTERS = 1024;
/** A word that occurs less often teaches its row nothing. */
const LEAST_WORDS = 4;
const MOST_DISTINCT = 100_000;

const WORDS = / ?[\p{L}_][\p{L}\p{N}_]*| ?[^\s\p{L}\p{N}_]+|\s+(?!\S)|\s+/gu;

/** The same extension for the same texts; where every text comes back whole as it is, there is none. */
export async function extendTokenizer(
  base: Tokenizer,
  texts: readonly string[],
  { words }: ExtensionSettings,
): Promise<Extension> {
  const wholeBefore = await countWhole(base, texts);
  const json = parseTokenizerJson(base.files()["tokenizer.json"]!);
  const isUnigram = Array.isArray(json.model.vocab);
  if (wholeBefore === texts.length) {
    return { tokenizer: base, rows: [], added: [], wholeBefore, wholeAfter: wholeBefore };
  }
  const lossless = losslessJson(json);
  const counts = countLetters(texts);
  const lettered = isUnigram ? withLetters(lossless, counts) : lossless;
  const wanted = isUnigram ? await bestWords(lettered, { base, texts, most: words }) : [];
  const whole = wanted.length > 0 ? withPieces(lettered, wanted) : lettered;
  const tokenizer = reload(base, whole.json);
  const occurrences = new Map([...counts, ...wanted.map(({ piece, count }) => [piece, count] as const)]);
  return {
    tokenizer,
    rows: await recipes(whole, { base, json }),
    added: whole.added.map((id) => ({
      id,
      token: whole.tokens[id]!,
      count: occurrences.get(whole.tokens[id]!) ?? 0,
    })),
    wholeBefore,
    wholeAfter: await countWhole(tokenizer, texts),
  };
}

/** How many texts are the same after encoding and decoding. */
export async function countWhole(tokenizer: Tokenizer, texts: readonly string[]): Promise<number> {
  let whole = 0;
  for (const text of texts) if ((await tokenizer.decode(await tokenizer.encode(text))) === text) whole++;
  return whole;
}

function reload(base: Tokenizer, json: TokenizerJson): Tokenizer {
  const files = base.files();
  const config = parseObject("tokenizer_config.json", files["tokenizer_config.json"] ?? "{}");
  return loadTokenizer({
    ...files,
    "tokenizer.json": `${JSON.stringify(json)}\n`,
    // A class of its own would build its own pipeline over the vocabulary.
    "tokenizer_config.json": `${JSON.stringify({ ...config, tokenizer_class: "PreTrainedTokenizerFast" }, null, 2)}\n`,
  });
}

function countLetters(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) for (const letter of text) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  return counts;
}

type Wanted = { readonly piece: string; readonly score: number; readonly count: number };

function withPieces({ json, tokens, added }: Lossless, wanted: readonly Wanted[]): Lossless {
  const vocab = json.model.vocab as readonly (readonly [string, number])[];
  return {
    json: {
      ...json,
      model: {
        ...json.model,
        vocab: [...vocab, ...wanted.map(({ piece, score }) => [piece, score] as const)],
      },
    },
    tokens: [...tokens, ...wanted.map(({ piece }) => piece)],
    added: [...added, ...wanted.map((_, i) => tokens.length + i)],
  };
}

/** Letters that have no piece: those of code, and those that the texts have more than once, the most frequent first. */
function withLetters(lossless: Lossless, counts: ReadonlyMap<string, number>): Lossless {
  const known = new Set(lossless.tokens);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const lowest = lowestScore(lossless.json.model.vocab as readonly (readonly [string, number])[]);
  const frequent = [...counts]
    .filter(([, count]) => count >= LEAST_LETTERS)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, MOST_LETTERS)
    .map(([letter]) => letter);
  const missing = [...new Set([...ALWAYS, ...frequent])].filter((letter) => !known.has(letter));
  return withPieces(
    lossless,
    missing.map((piece) => {
      const count = counts.get(piece) ?? 0;
      return { piece, count, score: count === 0 ? lowest : Math.max(lowest, Math.log(count / total)) };
    }),
  );
}

type Source = { readonly base: Tokenizer; readonly texts: readonly string[]; readonly most: number };

/** Words and runs of white space that save most tokens when they are one, and a score with which they are taken. */
async function bestWords(lossless: Lossless, { base, texts, most }: Source): Promise<Wanted[]> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = [...counts]
    .filter(([word, count]) => count >= LEAST_WORDS && word.length <= 32)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, MOST_DISTINCT);
  const vocab = lossless.json.model.vocab as readonly (readonly [string, number])[];
  const cuts = await reload(base, lossless.json).encodeBatch(words.map(([word]) => word));
  const total = cuts.reduce((sum, ids, i) => sum + ids.length * words[i]![1], 0);
  return words
    .map(([piece, count], i) => ({ piece, count, ids: cuts[i]! }))
    .filter(({ ids }) => ids.length > 1)
    .map(({ piece, count, ids }) => {
      const inPieces = ids.reduce((sum, id) => sum + vocab[id]![1], 0);
      return {
        piece,
        count,
        saved: count * (ids.length - 1),
        score: Math.max(Math.log(count / total), inPieces + 0.1),
      };
    })
    .sort((a, b) => b.saved - a.saved || (a.piece < b.piece ? -1 : 1))
    .slice(0, most);
}

type Origin = { readonly base: Tokenizer; readonly json: TokenizerJson };

/** What the base made of each new token: its pieces, less the space that it puts in front; else what it knows least. */
async function recipes({ tokens, added }: Lossless, { base, json }: Origin): Promise<RowRecipe[]> {
  const ids = idsOf(json);
  const space = ids.get("\u2581");
  const inBytes = isByteLevel(json.decoder);
  const fallback = inBytes ? byteLetters.flatMap((letter) => ids.get(letter) ?? []) : [unknownOf(json, base)];
  const meanings = added.map((id) =>
    inBytes ? (textOfByteLetters(tokens[id]!) ?? "") : meaningOf(tokens[id]!),
  );
  const encoded = await base.encodeBatch(meanings);
  return added.map((id, i) => {
    const words = encoded[i]!.filter((one) => one !== space);
    if (words.length > 0) return { id, from: words };
    const isBlank = meanings[i] !== "" && meanings[i]!.trim() === "" && space !== undefined;
    return { id, from: isBlank ? [space] : fallback };
  });
}

/** The text that a token stands for; none for a byte that is part of a character. */
function meaningOf(token: string): string {
  const byte = bytePieces.indexOf(token);
  if (byte < 0) return token;
  return byte < 0x80 ? String.fromCharCode(byte) : "";
}

function idsOf({ model: { vocab } }: TokenizerJson): Map<string, number> {
  return new Map(
    Array.isArray(vocab)
      ? (vocab as readonly (readonly [string, number])[]).map(([piece], id) => [piece, id])
      : Object.entries(vocab),
  );
}

function unknownOf(json: TokenizerJson, base: Tokenizer): number {
  const { unk_id: id, unk_token: token } = json.model;
  if (typeof id === "number") return id;
  return (typeof token === "string" ? idsOf(json).get(token) : undefined) ?? base.eosId;
}
