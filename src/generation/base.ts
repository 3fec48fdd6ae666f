// A base model opened: weights, architecture and tokenizer of one place, checked against one another before any
// weight is read. Arrays are read once and shared by everything that computes with them.

import { UserError } from "../base/errors.ts";
import { type AnyModel, everyParameter } from "../models/encoder-decoder.ts";
import { createAnyModel, requireArchitecture } from "../models/table.ts";
import { tokenizerFromGguf } from "../tokenizer/gguf.ts";
import { loadTokenizer } from "../tokenizer/load.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { requireParameters } from "../weights/match.ts";
import { openWeights } from "../weights/open.ts";
import type { TokenizerData, WeightSource } from "../weights/source.ts";

/** An opened base model. `read` keeps what it has read, so that everything that computes shares one copy; dispose of
 * `source` at the end. */
export type Base = {
  readonly source: WeightSource;
  readonly model: AnyModel;
  readonly tokenizer: Tokenizer;
  readonly read: WeightSource["read"];
};

/** Opens a folder in Hugging Face layout or a .gguf file; throws a `UserError` where its parts do not fit together. */
export function openBase(name: string): Base {
  const source = openWeights(name, requireArchitecture);
  try {
    const model = createAnyModel(source.config);
    requireParameters(everyParameter(model), source);
    // An encoder is told where its input ends; T5's own tokenizer does that in its template.
    const tokenizer = { ...openTokenizer(source.tokenizer), closesPrompt: model.kind === "encoder-decoder" };
    if (tokenizer.vocabSize > model.vocab_size) {
      throw new UserError(
        `Expected a tokenizer of at most ${model.vocab_size} tokens, the rows of the embedding in ${name}, found ${tokenizer.vocabSize}: it belongs to another model`,
      );
    }
    return { source, model, tokenizer, read: readOnce(source) };
  } catch (error) {
    source.dispose();
    throw error;
  }
}

function openTokenizer(data: TokenizerData): Tokenizer {
  return data.kind === "gguf" ? tokenizerFromGguf(data.metadata) : loadTokenizer(data.files);
}

function readOnce(source: WeightSource): WeightSource["read"] {
  const held = new Map<string, Float32Array<ArrayBuffer>>();
  return (name) => {
    const found = held.get(name);
    if (found) return found;
    const data = source.read(name);
    held.set(name, data);
    return data;
  };
}
