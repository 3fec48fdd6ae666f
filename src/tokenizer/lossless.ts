// A tokenizer.json that changes nothing on the way from text to ids and back, made of one that does: no normaliser, a
// space is a space (and not the sign ▁, which a text may hold), no space put in front, and bytes for what has no piece.
// Ids of the tokens that were there stay. What is new has no row in any model yet.

import { UserError } from "../base/errors.ts";
import { showValue } from "../base/show.ts";
import { bytePieces } from "./byte-pieces.ts";
import { byteLetters } from "./bytes.ts";
import type { TokenizerJson } from "./json.ts";

export type Lossless = {
  readonly json: TokenizerJson;
  /** Spelling of each token by id. */
  readonly tokens: readonly string[];
  /** Tokens that were not there, by id: the bytes of what has no piece. */
  readonly added: readonly number[];
};

const SPACE = "\u2581";

/** Cuts the spelling of a byte's piece in two, so that a text can never mean one. */
const apart = {
  type: "Split",
  pattern: { String: "<0x" },
  behavior: "MergedWithPrevious",
  invert: false,
};

const bytesThenText = { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] };

/** The same vocabulary without losses; throws a `UserError` for a kind of model that cannot do without them. */
export function losslessJson(json: TokenizerJson): Lossless {
  const { model } = json;
  if (Array.isArray(model.vocab)) return losslessUnigram(json);
  if (model.type === "BPE" && model.byte_fallback === true) return losslessPieces(json);
  if (model.type === "BPE" && isByteLevel(json.decoder)) return losslessBytes(json);
  throw new UserError(
    `Expected a tokenizer of the kinds Unigram, BPE with byte fallback or byte-level BPE, found ${showValue(model.type)}: it cannot be extended, take another base`,
  );
}

/** A decoder, or a sequence with one, that reads letters as bytes. */
export function isByteLevel(decoder: unknown): boolean {
  if (typeof decoder !== "object" || decoder === null) return false;
  const { type, decoders } = decoder as { type?: unknown; decoders?: unknown };
  return type === "ByteLevel" || (Array.isArray(decoders) && decoders.some(isByteLevel));
}

/** Every token by its id, the spelling of an added one before the model's; `undefined` for ids without any. */
export function tokensById({ model, added_tokens }: TokenizerJson): (string | undefined)[] {
  const tokens: (string | undefined)[] = [];
  const { vocab } = model;
  if (Array.isArray(vocab)) for (const [piece] of vocab as readonly Scored[]) tokens.push(piece);
  else
    for (const [token, id] of Object.entries(vocab as Readonly<Record<string, number>>)) tokens[id] = token;
  for (const { content, id } of added_tokens ?? []) tokens[id] = content;
  return Array.from(tokens, (token) => token);
}

type Scored = readonly [piece: string, score: number];

function losslessUnigram(json: TokenizerJson): Lossless {
  const vocab = json.model.vocab as readonly Scored[];
  const lowest = lowestScore(vocab);
  const spelled = withSpaces(json);
  const base = spelled.map((piece, id): Scored => [piece, vocab[id]?.[1] ?? lowest]);
  const missing = bytePieces.filter((piece) => !spelled.includes(piece));
  const pieces = [...base, ...missing.map((piece): Scored => [piece, lowest])];
  return {
    json: {
      ...json,
      normalizer: null,
      pre_tokenizer: apart,
      decoder: bytesThenText,
      model: { ...json.model, vocab: pieces, byte_fallback: true },
    },
    tokens: pieces.map(([piece]) => piece),
    added: missing.map((_, i) => base.length + i),
  };
}

/** The lowest score of a vocabulary: what is rarer than all else gets it. */
export function lowestScore(vocab: readonly Scored[]): number {
  return vocab.reduce((least, [, score]) => Math.min(least, score), 0);
}

function losslessPieces(json: TokenizerJson): Lossless {
  const spelled = withSpaces(json);
  const missing = bytePieces.filter((piece) => !spelled.includes(piece));
  const tokens = [...spelled, ...missing];
  const ofByte = new Set(bytePieces);
  const merges = (Array.isArray(json.model.merges) ? json.model.merges : [])
    .map((merge) => (typeof merge === "string" ? merge.split(" ") : (merge as string[])))
    .map((halves) => halves.map((half) => half.replaceAll(SPACE, " ")))
    .filter((halves) => !ofByte.has(halves.join("")));
  return {
    json: {
      ...json,
      normalizer: null,
      pre_tokenizer: apart,
      decoder: bytesThenText,
      model: { ...json.model, vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
    },
    tokens,
    added: missing.map((_, i) => spelled.length + i),
  };
}

function losslessBytes(json: TokenizerJson): Lossless {
  const known = tokensById(json).map((token, id) => token ?? `<unused_${id}>`);
  const vocab = json.model.vocab as Readonly<Record<string, number>>;
  const missing = byteLetters.filter((letter) => !Object.hasOwn(vocab, letter));
  const entries = missing.map((letter, i) => [letter, known.length + i] as const);
  return {
    json: {
      ...json,
      normalizer: null,
      // Ids have to follow one another: those of added tokens come before the new ones.
      model: {
        ...json.model,
        vocab: {
          ...Object.fromEntries(known.map((token, id) => [token, id])),
          ...Object.fromEntries(entries),
        },
      },
    },
    tokens: [...known, ...missing],
    added: entries.map(([, id]) => id),
  };
}

/** Spellings by id in which ▁ is a space, but for tokens that are only taken whole, and where a token has that spelling. */
function withSpaces(json: TokenizerJson): string[] {
  const tokens = tokensById(json);
  const whole = new Set((json.added_tokens ?? []).map(({ id }) => id));
  const taken = new Set(tokens.filter((token) => token !== undefined && !token.includes(SPACE)));
  return tokens.map((token, id) => {
    if (token === undefined) return `<unused_${id}>`;
    const spelled = token.replaceAll(SPACE, " ");
    if (whole.has(id) || spelled === token || taken.has(spelled)) return token;
    taken.add(spelled);
    return spelled;
  });
}
