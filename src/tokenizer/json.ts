// The parts of tokenizer.json that we look at; everything else is passed through to the library, which checks
// it. Format: https://huggingface.co/docs/tokenizers.

import { UserError } from "../base/errors.ts";
import { showReason } from "../base/show.ts";
import { requireSafe } from "./safety.ts";

export type AddedToken = {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly [key: string]: unknown;
};

/** Token to id (BPE, WordPiece, WordLevel), or pieces with scores in the order of their ids (Unigram). */
export type Vocabulary = Readonly<Record<string, number>> | readonly (readonly [string, number])[];

export type TokenizerJson = {
  readonly added_tokens?: readonly AddedToken[] | null;
  readonly post_processor?: unknown;
  readonly model: {
    readonly vocab: Vocabulary;
    readonly unk_token?: string | null;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
};

/** The parsed tokenizer.json, or a `UserError`. */
export function parseTokenizerJson(text: string): TokenizerJson {
  const value = parseObject("tokenizer.json", text);
  const model = value.model;
  const added = value.added_tokens ?? [];
  if (!isRecord(model) || typeof model.vocab !== "object" || model.vocab === null) {
    throw new UserError("Expected a model with a vocab in tokenizer.json, found none: the file is damaged");
  }
  if (!Array.isArray(added) || !added.every(isAddedToken)) {
    throw new UserError(
      "Expected added_tokens with content and id in tokenizer.json, found others: the file is damaged",
    );
  }
  requireSafe(value, model);
  return value as TokenizerJson;
}

/** The object that a JSON file holds, or a `UserError`. */
export function parseObject(name: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch (error) {
    throw new UserError(
      `Expected JSON in ${name}, found a text that does not parse: ${showReason(error)}; get the file again`,
    );
  }
  throw new UserError(`Expected a JSON object in ${name}, found something else; get the file again`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAddedToken(value: unknown): value is AddedToken {
  return isRecord(value) && typeof value.content === "string" && Number.isInteger(value.id);
}

/** An added token that is taken out of a text as it stands, before it is normalised. */
export function addedToken(content: string, id: number, special: boolean): AddedToken {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}

/** Decoder and model of byte-level BPE: `tokens` in the order of their ids, merges in the order of their rank. */
export function byteLevelBpe(
  tokens: readonly string[],
  merges: readonly (readonly [string, string])[],
  ignoreMerges: boolean,
) {
  return {
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}
