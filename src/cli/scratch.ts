// The embedded default: a small Llama-shaped model with a byte-level BPE tokenizer made from this repository, all of
// whose weights are trained. It is written as a model folder, so that from then on it is a base like any other.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Example } from "../dataset/example.ts";
import { answerOf, DEFAULT_FORMAT, type Format, formats } from "../dataset/format.ts";
import { requestOf } from "../dataset/request.ts";
import { createModel } from "../models/table.ts";
import { trainBpe } from "../tokenizer/train.ts";
import { initialWeights } from "../training/initial.ts";
import { writeModelFolder } from "../weights/folder.ts";

export const SCRATCH = "scratch";

export const SCRATCH_NOTE =
  "scratch is a small model that starts from nothing and sees only this repository: it learns habits (versions, " +
  "changelogs, settings), not programming; a pretrained base (--model FOLDER or FILE.gguf) writes real changes";

/** Text that the tokenizer is made from, at most: more changes few merges. */
const MOST_CHARACTERS = 4_000_000;
const VOCABULARY = 2048;

const CONFIG = {
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  hidden_act: "silu",
  hidden_size: 192,
  intermediate_size: 512,
  num_hidden_layers: 4,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  head_dim: 32,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  max_position_embeddings: 2048,
  tie_word_embeddings: true,
  torch_dtype: "float32",
} as const;

/** Makes the untrained model in `folder`; does nothing when it is there already, whole. */
export function ensureScratch(folder: string, examples: Iterable<Example>, seed: number): void {
  if (existsSync(join(folder, "config.json"))) return;
  const special = ["<|end|>"] as const;
  const tokenizer = trainBpe(textsOf(examples, formats[DEFAULT_FORMAT]), {
    vocabSize: VOCABULARY,
    specialTokens: special,
  });
  const config = {
    ...CONFIG,
    vocab_size: tokenizer.vocabSize,
    bos_token_id: tokenizer.eosId,
    eos_token_id: tokenizer.eosId,
  };
  const arrays = initialWeights(createModel(config), seed);
  writeModelFolder(folder, { config, arrays, tokenizerFiles: tokenizer.files() });
}

/** What a model will read and write of these examples, as much as a tokenizer is made from. */
export function* textsOf(examples: Iterable<Example>, format: Format): Generator<string> {
  let left = MOST_CHARACTERS;
  for (const example of examples) {
    const answer = answerOf(format, example);
    for (const text of [format.prompt(requestOf(example)), answer.ok ? answer.value : ""]) {
      yield text;
      left -= text.length;
    }
    if (left <= 0) return;
  }
}
