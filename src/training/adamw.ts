// AdamW as PyTorch has it (torch:torch/optim/adamw.py): decoupled weight decay, bias correction, epsilon outside
// the root. State is plain arrays, so that a checkpoint can hold it.

import type { OptionTable } from "../base/options.ts";

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

/** Moments of every trained array, and the number of steps taken. */
export type AdamwState = {
  step: number;
  readonly moments: ReadonlyMap<string, { readonly first: Float32Array; readonly second: Float32Array }>;
};

export type Trained = {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  readonly gradient: Float32Array;
};

/** The state before the first step: all moments zero. */
export function createAdamw(trained: ReadonlyMap<string, Trained>): AdamwState {
  const zeros = ({ data }: Trained) => ({
    first: new Float32Array(data.length),
    second: new Float32Array(data.length),
  });
  return { step: 0, moments: new Map([...trained].map(([name, array]) => [name, zeros(array)])) };
}

/** One step with the gradients as they stand, each multiplied by `scale` first. */
export function stepAdamw(
  state: AdamwState,
  trained: ReadonlyMap<string, Trained>,
  options: AdamwConfig & { readonly learning_rate: number; readonly scale: number },
): void {
  state.step++;
  for (const [name, array] of trained) {
    // Hugging Face's trainer leaves norm weights and biases undecayed: all that is not a matrix.
    const decay = array.shape.length > 1 ? options.weight_decay : 0;
    stepArray(array, { ...state.moments.get(name)!, step: state.step }, { ...options, weight_decay: decay });
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
  for (let i = 0; i < data.length; i++) {
    const g = gradient[i]! * scale;
    const m = beta1 * first[i]! + (1 - beta1) * g;
    const v = beta2 * second[i]! + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    data[i] = data[i]! * keep - (rate * m) / (Math.sqrt(v) / root + epsilon);
  }
}

/** Global L2 norm of all gradients, each multiplied by `scale` first. */
export function gradientNorm(trained: ReadonlyMap<string, Trained>, scale: number): number {
  let total = 0;
  for (const { gradient } of trained.values()) {
    let part = 0;
    for (let i = 0; i < gradient.length; i++) part += gradient[i]! * gradient[i]!;
    total += part;
  }
  return Math.sqrt(total) * scale;
}

/** What to multiply gradients with so that their norm stays under the limit (torch's clip_grad_norm_); 0 is no limit. */
export function clipFactor(norm: number, max_grad_norm: number): number {
  return max_grad_norm > 0 ? Math.min(1, max_grad_norm / (norm + 1e-6)) : 1;
}
