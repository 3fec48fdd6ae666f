// Names of the files in a model folder of Hugging Face's layout.

/** A way in which weights are kept: whole or, by an index, in shards. */
export type WeightLayout = { readonly whole: string; readonly index: string; readonly ending: string };

/** In the order of preference. */
export const LAYOUTS: readonly [WeightLayout, WeightLayout] = [
  { whole: "model.safetensors", index: "model.safetensors.index.json", ending: ".safetensors" },
  { whole: "pytorch_model.bin", index: "pytorch_model.bin.index.json", ending: ".bin" },
];

/** What describes the tokenizer and how an answer ends; read where present. */
export const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
] as const;
