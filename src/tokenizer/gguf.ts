// A tokenizer from the metadata of a GGUF file: rebuilds the tokenizer.json and tokenizer_config.json it was
// converted from, and loads those. Keys: ggml's docs/gguf.md; token types: `llama_token_type` in llama.h.

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import { showText, showValue } from "../base/show.ts";
import { type AddedToken, byteLevelBpe, isRecord } from "./json.ts";
import { loadTokenizer } from "./load.ts";
import { type PreTokenization, preTokenizations } from "./pretokenizers.ts";
import type { Tokenizer } from "./tokenizer.ts";

type Metadata = Readonly<Record<string, unknown>>;

const CONTROL = 3;
const USER_DEFINED = 4;

/** The tokenizer that a GGUF file carries. */
export function tokenizerFromGguf(metadata: Metadata): Tokenizer {
  const model = metadata["tokenizer.ggml.model"];
  if (model !== "gpt2") {
    throw new UserError(
      `Expected the tokenizer kind gpt2 (byte-level BPE) in the GGUF file, found ${showValue(model)}: other kinds are not read yet, give a folder with a tokenizer.json`,
    );
  }
  const way = preTokenizationOf(metadata["tokenizer.ggml.pre"]);
  const tokens = texts(metadata, "tokenizer.ggml.tokens");
  const files = {
    "tokenizer.json": `${JSON.stringify(tokenizerJson(metadata, tokens, way))}\n`,
    "tokenizer_config.json": `${JSON.stringify(tokenizerConfig(metadata, tokens, way), null, 2)}\n`,
  };
  return loadTokenizer(files);
}

function preTokenizationOf(name: unknown): PreTokenization {
  const known = Object.keys(preTokenizations);
  if (typeof name === "string" && known.includes(name)) return preTokenizations[name]!;
  const nearest = typeof name === "string" ? nearestName(showText(name), known) : undefined;
  throw new UserError(
    `Expected tokenizer.ggml.pre to be one of ${known.join(", ")}, found ${name === undefined ? "none" : showValue(name)}: ${nearest ? `${nearest} is the nearest, but may cut text differently; ` : ""}give the model's folder with its tokenizer.json`,
  );
}

function tokenizerJson(metadata: Metadata, tokens: readonly string[], way: PreTokenization): unknown {
  const bos = tokenNamed(metadata, tokens, "bos");
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(metadata, tokens),
    normalizer: way.normalizer,
    pre_tokenizer: way.preTokenizer,
    post_processor:
      addsBos(metadata, way) && bos !== undefined ? bosTemplate(bos, tokens.indexOf(bos)) : null,
    ...byteLevelBpe(tokens, texts(metadata, "tokenizer.ggml.merges").map(mergePair), way.ignoreMerges),
  };
}

/** "a b" is a pair; no letter of the byte alphabet is a space. */
function mergePair(merge: string): [string, string] {
  const [left, right, ...rest] = merge.split(" ");
  if (!left || !right || rest.length > 0) {
    throw new UserError(
      `Expected pairs in tokenizer.ggml.merges, found ${showValue(merge)}: the GGUF file is damaged`,
    );
  }
  return [left, right];
}

function addedTokens(metadata: Metadata, tokens: readonly string[]): AddedToken[] {
  const types = metadata["tokenizer.ggml.token_type"];
  if (!Array.isArray(types) || types.length !== tokens.length) {
    throw new UserError(
      "Expected one tokenizer.ggml.token_type for each token in the GGUF file, found another number: the file is damaged",
    );
  }
  return tokens.flatMap((content, id) =>
    types[id] === CONTROL || types[id] === USER_DEFINED
      ? [addedToken(content, id, types[id] === CONTROL)]
      : [],
  );
}

function addedToken(content: string, id: number, special: boolean): AddedToken {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}

function bosTemplate(bos: string, id: number): unknown {
  const [token, a, b] = [
    { SpecialToken: { id: bos, type_id: 0 } },
    { Sequence: { id: "A", type_id: 0 } },
    { Sequence: { id: "B", type_id: 1 } },
  ];
  return {
    type: "TemplateProcessing",
    single: [token, a],
    pair: [token, a, { SpecialToken: { id: bos, type_id: 1 } }, b],
    special_tokens: { [bos]: { id: bos, ids: [id], tokens: [bos] } },
  };
}

function tokenizerConfig(
  metadata: Metadata,
  tokens: readonly string[],
  way: PreTokenization,
): Record<string, unknown> {
  const template = metadata["tokenizer.chat_template"];
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    add_bos_token: addsBos(metadata, way),
    bos_token: tokenNamed(metadata, tokens, "bos") ?? null,
    eos_token: tokenNamed(metadata, tokens, "eos") ?? null,
    pad_token: tokenNamed(metadata, tokens, "padding") ?? null,
    unk_token: tokenNamed(metadata, tokens, "unknown") ?? null,
    clean_up_tokenization_spaces: false,
    ...(typeof template === "string" ? { chat_template: template } : {}),
  };
}

function addsBos(metadata: Metadata, way: PreTokenization): boolean {
  const stated = metadata["tokenizer.ggml.add_bos_token"];
  return typeof stated === "boolean" ? stated : way.addBos;
}

function tokenNamed(
  metadata: Metadata,
  tokens: readonly string[],
  role: "bos" | "eos" | "padding" | "unknown",
): string | undefined {
  const id = metadata[`tokenizer.ggml.${role}_token_id`];
  return typeof id === "number" ? tokens[id] : undefined;
}

function texts(metadata: Metadata, key: string): readonly string[] {
  const value = metadata[key];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  const found = isRecord(value) || value === undefined ? "none" : typeof value;
  throw new UserError(
    `Expected texts under ${key} in the GGUF file, found ${found}: the file carries no complete tokenizer`,
  );
}
