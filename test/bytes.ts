// For tests only: a tokenizer of one id for each byte, so that tokens can be counted by hand.

import type { Tokenizer } from "../src/tokenizer/tokenizer.ts";

export const BYTES: Tokenizer = {
  encode: async (text) => [...Buffer.from(text)],
  encodeBatch: async (texts) => texts.map((text) => [...Buffer.from(text)]),
  decode: async (ids) => Buffer.from(ids.filter((id) => id < 256)).toString(),
  vocabSize: 258,
  eosId: 256,
  bosId: 257,
  addBos: false,
  files: () => ({}),
};
