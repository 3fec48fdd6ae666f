// How text is cut before byte-level BPE merges it, by the name that GGUF files give each way
// (`tokenizer.ggml.pre`): the same steps as in the tokenizer.json that the models' makers publish. Expressions:
// GPT-2's is built into the library; Qwen2's and Llama 3's are in transformers (tokenization_qwen2.py,
// convert_slow_tokenizer.py).

export type PreTokenization = {
  readonly normalizer: unknown;
  readonly preTokenizer: unknown;
  /** Whole words of the vocabulary are taken before any merge. */
  readonly ignoreMerges: boolean;
  /** Whether sequences start with the BOS token where the file does not say. */
  readonly addBos: boolean;
};

const gpt2Words = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const bytesOnly = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };

const plain = { normalizer: null, ignoreMerges: false, addBos: false } as const;

export const digitsThenWords = {
  type: "Sequence",
  pretokenizers: [{ type: "Digits", individual_digits: true }, gpt2Words],
};

export const preTokenizations: Readonly<Record<string, PreTokenization>> = {
  "gpt-2": { ...plain, preTokenizer: gpt2Words },
  smollm: { ...plain, preTokenizer: digitsThenWords },
  qwen2: { ...plain, normalizer: { type: "NFC" }, preTokenizer: splitBy(wordsWithDigits("\\p{N}")) },
  "llama-bpe": {
    ...plain,
    preTokenizer: splitBy(wordsWithDigits("\\p{N}{1,3}")),
    ignoreMerges: true,
    addBos: true,
  },
};

function wordsWithDigits(digits: string): string {
  return [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+",
    digits,
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*",
    "\\s*[\\r\\n]+",
    "\\s+(?!\\S)",
    "\\s+",
  ].join("|");
}

function splitBy(expression: string): unknown {
  return {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: expression }, behavior: "Isolated", invert: false },
      bytesOnly,
    ],
  };
}
