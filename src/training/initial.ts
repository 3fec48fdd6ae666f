// Initial weights of a model trained from nothing: normal with a deviation of 0.02, projections back into the
// residual stream smaller by the depth, norms at one, biases at zero, as GPT-2 and its successors start.

import { sizeOf } from "../base/dtype.ts";
import { createRandom } from "../base/random.ts";
import { allParameters, type Model } from "../models/model.ts";

const DEVIATION = 0.02;

/** Every parameter of the model by full name; the same seed gives the same numbers. */
export function initialWeights(
  model: Model,
  seed: number,
): Map<string, { shape: readonly number[]; data: Float32Array }> {
  const random = createRandom(seed);
  const residual = DEVIATION / Math.sqrt(2 * model.num_hidden_layers);
  return new Map(
    allParameters(model).map(({ name, shape }) => {
      const deviation = /\.(o_proj|down_proj)\.weight$/.test(name) ? residual : DEVIATION;
      const still = name.endsWith("bias") ? 0 : 1;
      const value = shape.length === 1 ? () => still : () => deviation * random.normal();
      return [name, { shape, data: Float32Array.from({ length: sizeOf(shape) }, value) }];
    }),
  );
}
