// Special tokens: which there are, and how to keep plain text from ever becoming one. The library reads the
// spelling of a special token in any text as that token; a repository may well contain "<|im_end|>". So encoding
// uses a copy of tokenizer.json in which their spellings are replaced by ones that nobody can know.

import { randomBytes } from "node:crypto";
import type { AddedToken, TokenizerJson } from "./json.ts";

/** The special tokens of a tokenizer.json: spelling to id. */
export function specialTokens(json: TokenizerJson): ReadonlyMap<string, number> {
  return new Map((json.added_tokens ?? []).filter(isSpecial).map(({ content, id }) => [content, id]));
}

/** A copy whose ids are the same and whose special tokens have unguessable spellings. */
export function withoutSpecialSpellings(json: TokenizerJson): TokenizerJson {
  // A noncharacter in front, so that no normaliser or pre-tokenizer takes it for a word's part.
  const secret = `\u{10FFFF}${randomBytes(16).toString("hex")}`;
  const special = specialTokens(json);
  const rename = (content: string) => (special.has(content) ? `${secret}${special.get(content)}` : content);
  return {
    ...json,
    added_tokens: (json.added_tokens ?? []).map((token) => ({ ...token, content: rename(token.content) })),
    // Templates name special tokens; none is applied here.
    post_processor: null,
    truncation: null,
    padding: null,
    model: renameInModel(json.model, rename),
  };
}

function renameInModel(
  model: TokenizerJson["model"],
  rename: (content: string) => string,
): TokenizerJson["model"] {
  const { vocab, unk_token: unknown } = model;
  return {
    ...model,
    ...(typeof unknown === "string" ? { unk_token: rename(unknown) } : {}),
    vocab: Array.isArray(vocab)
      ? vocab.map(([piece, score]) => [rename(piece), score] as const)
      : Object.fromEntries(Object.entries(vocab).map(([token, id]) => [rename(token), id])),
  };
}

function isSpecial(token: AddedToken): boolean {
  return token.special === true;
}
