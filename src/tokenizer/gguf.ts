// A tokenizer from the metadata of a GGUF file: rebuilds the tokenizer.json and tokenizer_config.json it was
// converted from, and loads those. Keys: ggml's docs/gguf.md; token types: `llama_token_type` in llama.h.

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import { showText, showValue } from "../base/show.ts";
import { type Metadata, mergePair, namesOf, texts } from "./gguf-metadata.ts";
import { filesFromPieces, PIECE_MODELS } from "./gguf-pieces.ts";
import { type AddedToken, addedToken, byteLevelBpe } from "./json.ts";
import { loadTokenizer } from "./load.ts";
import { type PreTokenization, preTokenizations } from "./pretokenizers.ts";
import type { Tokenizer } from "./tokenizer.ts";

const CONTROL = 3;
const USER_DEFINED = 4;

/** The tokenizer that a GGUF file carries. */
export function tokenizerFromGguf(metadata: Metadata): Tokenizer {
  const model = metadata["tokenizer.ggml.model"];
  const family = Object.values(PIECE_MODELS).find((one) => one === model);
  if (family !== undefined) return loadTokenizer(filesFromPieces(metadata, family));
  if (model !== "gpt2") {
    throw new UserError(
      `Expected the tokenizer kind gpt2 (byte-level BPE), llama (BPE of pieces) or t5 (Unigram) in the GGUF file, found ${showValue(model)}: give a folder with a tokenizer.json`,
    );
  }
  const way = preTokenizationOf(metadata["tokenizer.ggml.pre"]);
  const tokens = texts(metadata, "tokenizer.ggml.tokens");
  const files = {
    "tokenizer.json": `${JSON.stringify(tokenizerJson(metadata, tokens, way))}\n`,
    "tokenizer_config.json": `${JSON.stringify(tokenizerConfig(metadata, way), null, 2)}\n`,
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
  const { bos_token: bos } = namesOf(metadata);
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(metadata, tokens),
    normalizer: way.normalizer,
    pre_tokenizer: way.preTokenizer,
    post_processor:
      addsBos(metadata, way) && typeof bos === "string" ? bosTemplate(bos, tokens.indexOf(bos)) : null,
    ...byteLevelBpe(tokens, texts(metadata, "tokenizer.ggml.merges").map(mergePair), way.ignoreMerges),
  };
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

function tokenizerConfig(metadata: Metadata, way: PreTokenization): Record<string, unknown> {
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    add_bos_token: addsBos(metadata, way),
    bos_token: null,
    eos_token: null,
    pad_token: null,
    unk_token: null,
    clean_up_tokenization_spaces: false,
    ...namesOf(metadata),
  };
}

function addsBos(metadata: Metadata, way: PreTokenization): boolean {
  const stated = metadata["tokenizer.ggml.add_bos_token"];
  return typeof stated === "boolean" ? stated : way.addBos;
}
