// Names of the files in a model folder of Hugging Face's layout.

/** A way in which weights are kept: whole or, by an index, in shards. */
export type WeightLayout = { readonly whole: string; readonly index: string; readonly ending: string };

/** In the order of preference. */
export const LAYOUTS: readonly [WeightLayout, WeightLayout] = [
  { whole: "model.safetensors", index: "model.safetensors.index.json", ending: ".safetensors" },
  { whole: "pytorch_model.bin", index: "pytorch_model.bin.index.json", ending: ".bin" },
];

const TOKENIZER_TEXTS = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
];

/** Names of SentencePiece models, which are bytes. */
export const TOKENIZER_MODELS: readonly string[] = ["spiece.model", "tokenizer.model"];

/** Which of the files that are there describe the tokenizer and how an answer ends; a SentencePiece model only where
 * there is no tokenizer.json. */
export function tokenizerNames(isThere: (name: string) => boolean): string[] {
  const texts = TOKENIZER_TEXTS.filter(isThere);
  return texts.includes("tokenizer.json") ? texts : [...texts, ...TOKENIZER_MODELS.filter(isThere)];
}

/** Whether what was found says how text becomes ids. */
export function hasTokenizer(names: readonly string[]): boolean {
  return ["tokenizer.json", ...TOKENIZER_MODELS].some((name) => names.includes(name));
}
