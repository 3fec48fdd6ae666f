// The door to the tokenizers library (the Rust library's Node binding): the few calls used, typed. Nothing else uses
// the library; `doctor` only tries whether it loads.

import { Tokenizer } from "tokenizers";

export type NativeTokenizer = {
  encode(text: string): Promise<number[]>;
  encodeBatch(texts: readonly string[]): Promise<number[][]>;
  decode(ids: readonly number[]): Promise<string>;
};

const NO_SPECIAL = { addSpecialTokens: false } as const;

/** A tokenizer from the text of a tokenizer.json; throws the library's error when it does not accept it. */
export function nativeTokenizer(json: string): NativeTokenizer {
  const tokenizer = Tokenizer.fromString(json);
  return {
    encode: async (text) => (await tokenizer.encode(text, null, NO_SPECIAL)).getIds(),
    encodeBatch: async (texts) =>
      (await tokenizer.encodeBatch([...texts], NO_SPECIAL)).map((encoding) => encoding.getIds()),
    decode: (ids) => tokenizer.decode([...ids], false),
  };
}
