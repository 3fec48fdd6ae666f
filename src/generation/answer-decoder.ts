// What writing an answer needs of a network, of whichever kind; the one place that chooses by kind.

import type { AnyModel } from "../models/encoder-decoder.ts";
import { Decoder, type DecoderOptions } from "./decoder.ts";
import { MemoryDecoder } from "./memory-decoder.ts";
import { XLNetDecoder } from "./xlnet-decoder.ts";

/** One answer being written, id by id; it owns device buffers and programs until `dispose`. */
export type AnswerDecoder = {
  /** Ids of prompt and answer together, at most. */
  readonly room: number;
  /** Forgets what was before and reads a prompt; gives the logits [vocab_size] of an answer's first id. */
  begin(prompt: readonly number[]): Promise<Float32Array>;
  /** Takes the answer's next id; gives the logits of the one after it. */
  next(id: number): Promise<Float32Array>;
  dispose(): Promise<void>;
};

export type AnswerDecoderOptions = Omit<DecoderOptions, "model"> & { readonly model: AnyModel };

/** The decoder of a model. */
export function openDecoder({ model, ...options }: AnswerDecoderOptions): AnswerDecoder {
  switch (model.kind) {
    case "decoder":
      return new Decoder({ model, ...options });
    case "encoder-decoder":
      return new MemoryDecoder({ model, ...options });
    case "two-stream":
      return new XLNetDecoder({ model, ...options });
  }
}
