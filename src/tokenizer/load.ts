// A tokenizer from the files that Hugging Face keeps beside a model. Ids come from the tokenizers library; which
// tokens are special, and that plain text never becomes one, is settled here.

import { UserError } from "../base/errors.ts";
import { showReason } from "../base/show.ts";
import { isRecord, parseObject, parseTokenizerJson, type TokenizerJson } from "./json.ts";
import { type NativeTokenizer, nativeTokenizer } from "./native.ts";
import { readSentencePiece } from "./sentencepiece.ts";
import { familyOf, sentencePieceFiles } from "./sentencepiece-json.ts";
import { specialTokens, withoutSpecialSpellings } from "./special.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What `Tokenizer.files` hands on, of the files that were given. */
const OWN_FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"];

/** Names of a SentencePiece model. */
const MODEL_FILES = ["spiece.model", "tokenizer.model"];

/**
 * Builds a tokenizer from file contents by file name: `tokenizer.json`, or else the SentencePiece model `spiece.model`
 * or `tokenizer.model` as bytes, and what stands beside it.
 */
export function loadTokenizer(given: Readonly<Record<string, string | Uint8Array>>): Tokenizer {
  const texts = Object.entries(given).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const files = { ...Object.fromEntries(texts), ...convertedModel(given, Object.fromEntries(texts)) };
  const text = files["tokenizer.json"];
  if (text === undefined) {
    throw new UserError(
      "Expected tokenizer.json, spiece.model or tokenizer.model beside the model, found none: save the tokenizer there with save_pretrained of a fast tokenizer",
    );
  }
  const json = parseTokenizerJson(text);
  const ids = vocabularyIds(json);
  const config = parseOptional(files, "tokenizer_config.json");
  const eosId = tokenId({ files, config, ids }, "eos");
  if (eosId === undefined) {
    throw new UserError(
      "Expected eos_token in tokenizer_config.json (or eos_token_id in generation_config.json), found none that the vocabulary has: add it, the model must know where an answer ends",
    );
  }
  const bosId = tokenId({ files, config, ids }, "bos");
  return {
    ...coder(json),
    vocabSize: largest(ids.values()) + 1,
    eosId,
    bosId,
    addBos: bosId !== undefined && startsWithBos(json, config, bosId),
    files: () =>
      Object.fromEntries(OWN_FILES.filter((name) => name in files).map((name) => [name, files[name]!])),
  };
}

/** The files that a SentencePiece model amounts to, where there is no tokenizer.json. */
function convertedModel(
  given: Readonly<Record<string, string | Uint8Array>>,
  texts: Readonly<Record<string, string>>,
): Record<string, string> {
  const name = MODEL_FILES.find((one) => given[one] instanceof Uint8Array);
  if (name === undefined || "tokenizer.json" in texts) return {};
  const model = readSentencePiece(name, given[name] as Uint8Array);
  const config = parseOptional(texts, "tokenizer_config.json");
  return sentencePieceFiles(model, { family: familyOf(name, model, config), config });
}

function coder(json: TokenizerJson): Pick<Tokenizer, "encode" | "encodeBatch" | "decode"> {
  const native = accept(withoutSpecialSpellings(json));
  const special = new Set(specialTokens(json).values());
  return {
    async encode(text) {
      requireWellFormed(text);
      return explained(native.encode(text));
    },
    async encodeBatch(texts) {
      texts.forEach(requireWellFormed);
      return texts.length === 0 ? [] : explained(native.encodeBatch(texts));
    },
    async decode(ids) {
      return explained(native.decode(ids.filter((id) => !special.has(id))));
    },
  };
}

/** The library finds some faults of a tokenizer.json only when it is used. */
async function explained<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw new UserError(
      `Expected a tokenizer.json that works, found one with which the tokenizers library fails: ${showReason(error)}`,
      { cause: error },
    );
  }
}

function accept(json: TokenizerJson): NativeTokenizer {
  try {
    return nativeTokenizer(JSON.stringify(json));
  } catch (error) {
    throw new UserError(
      `Expected a tokenizer.json that the tokenizers library reads, found one it refuses: ${showReason(error)}`,
      { cause: error },
    );
  }
}

/** Half a surrogate pair has no bytes in UTF-8; the library would replace it in silence. */
function requireWellFormed(text: string): void {
  if (/\p{Surrogate}/u.test(text)) {
    throw new UserError(
      "Expected text that UTF-8 can write, found half of a surrogate pair: decode the file as UTF-8 first",
    );
  }
}

/** Every token with its id; the spelling of an added token wins. */
function vocabularyIds(json: TokenizerJson): ReadonlyMap<string, number> {
  const { vocab } = json.model;
  const ids = new Map<string, number>(
    Array.isArray(vocab)
      ? (vocab as readonly (readonly [string, number])[]).map(([piece], id) => [piece, id])
      : Object.entries(vocab),
  );
  for (const { content, id } of json.added_tokens ?? []) ids.set(content, id);
  return ids;
}

type Sources = {
  readonly files: Readonly<Record<string, string>>;
  readonly config: Record<string, unknown>;
  readonly ids: ReadonlyMap<string, number>;
};

/** The id named by tokenizer_config.json, special_tokens_map.json or generation_config.json, in this order. */
function tokenId({ files, config, ids }: Sources, role: "eos" | "bos"): number | undefined {
  for (const source of [config, parseOptional(files, "special_tokens_map.json")]) {
    const token = source[`${role}_token`];
    const content = isRecord(token) ? token.content : token;
    const id = typeof content === "string" ? ids.get(content) : undefined;
    if (id !== undefined) return id;
  }
  const generation = parseOptional(files, "generation_config.json")[`${role}_token_id`];
  const id: unknown = Array.isArray(generation) ? generation[0] : generation;
  return typeof id === "number" && Number.isInteger(id) && id >= 0 ? id : undefined;
}

function startsWithBos(json: TokenizerJson, config: Record<string, unknown>, bosId: number): boolean {
  if (typeof config.add_bos_token === "boolean") return config.add_bos_token;
  const spellings = [...specialTokens(json)].filter(([, id]) => id === bosId).map(([content]) => content);
  return templatesOf(json.post_processor).some((template) => {
    const first: unknown = template[0];
    const special = isRecord(first) ? first.SpecialToken : undefined;
    return isRecord(special) && spellings.includes(String(special.id));
  });
}

/** The single-sequence templates of a post-processor, which may be a sequence of them. */
function templatesOf(processor: unknown): unknown[][] {
  if (!isRecord(processor)) return [];
  if (Array.isArray(processor.processors)) return processor.processors.flatMap(templatesOf);
  return Array.isArray(processor.single) ? [processor.single] : [];
}

function parseOptional(files: Readonly<Record<string, string>>, name: string): Record<string, unknown> {
  const text = files[name];
  return text === undefined ? {} : parseObject(name, text);
}

function largest(values: Iterable<number>): number {
  let most = -1;
  for (const value of values) most = Math.max(most, value);
  return most;
}
