// What is trained, as plain arrays: values, gradients, and the state that an optimizer keeps of them, so that a
// checkpoint can hold it. The norm of all gradients and its limit are those of torch's clip_grad_norm_.

/** An array under training; `gradient` is summed up until the optimizer has used it. */
export type Trained = {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  readonly gradient: Float32Array;
};

export type StateArray = { readonly shape: readonly number[]; readonly data: Float32Array };

/** Steps taken, and the optimizer's arrays by `WHAT.NAME`, such as exp_avg.model.norm.weight. */
export type OptimizerState = { step: number; readonly arrays: ReadonlyMap<string, StateArray> };

/** Zeros of a shape. */
export function zeros(shape: readonly number[]): StateArray {
  return { shape, data: new Float32Array(shape.reduce((n, extent) => n * extent, 1)) };
}

/** Hugging Face's trainer leaves norm weights and biases undecayed: all that is not a matrix. */
export function decayOf({ shape }: Pick<Trained, "shape">, weight_decay: number): number {
  return shape.length > 1 ? weight_decay : 0;
}

/** Global L2 norm of all gradients, each multiplied by `scale` first. */
export function gradientNorm(trained: ReadonlyMap<string, Trained>, scale: number): number {
  let total = 0;
  for (const { gradient } of trained.values()) total += sumOfSquares(gradient);
  return Math.sqrt(total) * scale;
}

/** Four sums, so that an addition need not wait for the one before. */
function sumOfSquares(values: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += values[i]! * values[i]!;
    b += values[i + 1]! * values[i + 1]!;
    c += values[i + 2]! * values[i + 2]!;
    d += values[i + 3]! * values[i + 3]!;
  }
  for (let i = whole; i < values.length; i++) a += values[i]! * values[i]!;
  return a + b + c + d;
}

/** What to multiply gradients with so that their norm stays under the limit (torch's clip_grad_norm_); 0 is no limit. */
export function clipFactor(norm: number, max_grad_norm: number): number {
  return max_grad_norm > 0 ? Math.min(1, max_grad_norm / (norm + 1e-6)) : 1;
}

/** Whether every value of every array is a number. */
export function areFinite(arrays: Iterable<{ readonly data: Float32Array }>): boolean {
  for (const { data } of arrays) {
    // One value that is none makes the sum none; a sum of finite f32 values stays far within f64.
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum += data[i]!;
    if (!Number.isFinite(sum)) return false;
  }
  return true;
}

/** Adds one array to another of the same length. */
export function addInto(into: Float32Array, from: Float32Array): void {
  for (let i = 0; i < into.length; i++) into[i]! += from[i]!;
}
