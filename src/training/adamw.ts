// AdamW as PyTorch has it (torch:torch/optim/adamw.py): decoupled weight decay, bias correction, epsilon outside
// the root. State is plain arrays, so that a checkpoint can hold it.

import type { OptionTable } from "../base/options.ts";
import { stepValues } from "./adamw-kernel.ts";
import { decayOf, type OptimizerState, type Trained, zeros } from "./trained.ts";

export const adamwOptions = {
  adam_beta1: { type: "number", default: 0.9, help: "Decay of the first moment", value: "X" },
  adam_beta2: { type: "number", default: 0.999, help: "Decay of the second moment", value: "X" },
  adam_epsilon: { type: "number", default: 1e-8, help: "Added to the root of the second moment", value: "X" },
  weight_decay: { type: "number", default: 0, help: "Decay of matrices; norms are not decayed", value: "X" },
} as const satisfies OptionTable;

export type AdamwConfig = {
  readonly adam_beta1: number;
  readonly adam_beta2: number;
  readonly adam_epsilon: number;
  readonly weight_decay: number;
};

/** The state before the first step: both moments of every array zero. */
export function createAdamw(trained: ReadonlyMap<string, Trained>): OptimizerState {
  const arrays = [...trained].flatMap(([name, { shape }]) => [
    [`exp_avg.${name}`, zeros(shape)] as const,
    [`exp_avg_sq.${name}`, zeros(shape)] as const,
  ]);
  return { step: 0, arrays: new Map(arrays) };
}

/** One step with the gradients as they stand, each multiplied by `scale` first. */
export function stepAdamw(
  state: OptimizerState,
  trained: ReadonlyMap<string, Trained>,
  options: AdamwConfig & { readonly learning_rate: number; readonly scale: number },
): void {
  state.step++;
  for (const [name, array] of trained) {
    const first = state.arrays.get(`exp_avg.${name}`)!.data;
    const second = state.arrays.get(`exp_avg_sq.${name}`)!.data;
    const weight_decay = decayOf(array, options.weight_decay);
    stepArray(array, { first, second, step: state.step }, { ...options, weight_decay });
  }
}

function stepArray(
  { data, gradient }: Trained,
  { first, second, step }: { first: Float32Array; second: Float32Array; step: number },
  options: AdamwConfig & { readonly learning_rate: number; readonly scale: number },
): void {
  const { adam_beta1: beta1, adam_beta2: beta2, adam_epsilon: epsilon, learning_rate, scale } = options;
  const keep = 1 - learning_rate * options.weight_decay;
  const rate = learning_rate / (1 - beta1 ** step);
  const root = Math.sqrt(1 - beta2 ** step);
  // Factors that do not change from value to value are put together, and one division is enough.
  const factors = {
    ...{ keep, beta1, beta2, numerator: rate * root, least: epsilon * root },
    ...{ ofFirst: (1 - beta1) * scale, ofSecond: (1 - beta2) * scale * scale },
  };
  stepValues({ data, gradient, first, second }, factors);
}
