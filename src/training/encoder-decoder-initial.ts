// Initial weights of an encoder–decoder model trained from nothing, as T5 starts
// (transformers:src/transformers/models/t5/modeling_t5.py, `_init_weights`); but a head of its own starts smaller,
// because with T5's numbers the first losses are far above those of guessing.

import { sizeOf } from "../base/dtype.ts";
import { createRandom } from "../base/random.ts";
import { type EncoderDecoder, everyParameter } from "../models/encoder-decoder.ts";
import type { Parameter } from "../models/model.ts";

/** Every parameter of the model by full name; the same seed gives the same numbers. */
export function initialPairWeights(
  model: EncoderDecoder,
  seed: number,
): Map<string, { shape: readonly number[]; data: Float32Array }> {
  const random = createRandom(seed);
  return new Map(
    everyParameter(model).map((parameter) => {
      const { name, shape } = parameter;
      const deviation = deviationOf(parameter, model);
      const value = shape.length === 1 ? () => 1 : () => deviation * random.normal();
      return [name, { shape, data: Float32Array.from({ length: sizeOf(shape) }, value) }];
    }),
  );
}

/** The standard deviation that an array of the model starts with; norms start as ones. */
export function deviationOf(
  { name, shape }: Parameter,
  { hidden_size, attention, embeddingParameter, headParameters }: EncoderDecoder,
): number {
  if (name === embeddingParameter.name) return 1;
  // Scores are not divided by √d_kv: q starts smaller instead.
  if (name.endsWith(".q.weight")) return 1 / Math.sqrt(hidden_size * attention.d_kv);
  if (name.endsWith("relative_attention_bias.weight")) return 1 / Math.sqrt(hidden_size);
  const isHead = headParameters.some((parameter) => parameter.name === name);
  return (isHead ? 0.25 : 1) / Math.sqrt(shape[1]!);
}
