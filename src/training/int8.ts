// Frozen products on eight-bit integers, as part of a graph: y = xWᵀ with activations rounded row by row, and the same
// for what flows back. The few largest input channels go through in f32 beside it: rounding them decides whether a
// network trains at all (LLM.int8, Dettmers et al., 2022). What is trained never passes here.

import { apply, mul, reshape, withPullback } from "../graph/build.ts";
import { constant, input, int64s, scalar, type Tensor } from "../graph/tensor.ts";

/** Linear layers that share an input, computed as one product. */
export type FrozenGroup = {
  /** Names within the block, in order. */
  readonly names: readonly string[];
  /** Outputs of each. */
  readonly outs: readonly number[];
  readonly inner: number;
};

/** Input channels that stay f32. */
export const CHANNELS = 32;

/** Names of a group's inputs, within the block. */
export function groupInputs({ names }: Pick<FrozenGroup, "names">) {
  const key = names.join("+");
  return {
    forward: `int8:${key}`,
    forwardScale: `int8_scale:${key}`,
    backward: `int8_back:${key}`,
    backwardScale: `int8_back_scale:${key}`,
    channels: `channels:${key}`,
    columns: `columns:${key}`,
    rounded: `rounded:${key}`,
  } as const;
}

export function widthOf({ outs }: FrozenGroup): number {
  return outs.reduce((sum, out) => sum + out, 0);
}

export function channelsOf({ inner }: FrozenGroup): number {
  return Math.min(CHANNELS, inner);
}

/** The products of a group beside each other, [n, sum of outputs], of x [n, inner]. */
export function int8Product(x: Tensor, group: FrozenGroup): Tensor {
  const { inner } = group;
  const names = groupInputs(group);
  const width = widthOf(group);
  const few = channelsOf(group);
  const rounded = roundedProduct(x, {
    // A row's scale is that of the channels that are rounded.
    measured: mul(x, input(names.rounded, "float32", [inner])),
    weights: input(names.forward, "int8", [inner, width]),
    scales: input(names.forwardScale, "float32", [width]),
  });
  const picked = apply("Gather", [x, input(names.channels, "int64", [few])], { axis: 1 });
  const value = apply("Gemm", [picked, input(names.columns, "float32", [few, width]), rounded]);
  const back = {
    weights: input(names.backward, "int8", [width, inner]),
    scales: input(names.backwardScale, "float32", [inner]),
  };
  return withPullback(value, { of: [x], rule: (dy) => [roundedProduct(dy, back)] });
}

type Rounded = {
  readonly weights: Tensor;
  readonly scales: Tensor;
  /** What the rows' scales are taken from; x itself when not given. */
  readonly measured?: Tensor;
};

const ZERO = constant("uint8", [], Uint8Array.of(128));

/**
 * x·W of x [n, k], each row rounded to 255 steps by its own largest magnitude. Rows of zeros stay zeros. Unsigned times
 * signed is the fast product, hence the zero point.
 */
function roundedProduct(x: Tensor, { weights, scales, measured = x }: Rounded): Tensor {
  const rows = x.shape[0]!;
  const extreme = (op: string) => apply(op, [measured, int64s([1])], { keepdims: 0 });
  // Two passes that only read, instead of one that writes magnitudes and one that reads them.
  const largest = apply("Max", [extreme("ReduceMax"), apply("Neg", [extreme("ReduceMin")])]);
  const step = apply("Max", [apply("Mul", [largest, scalar(1 / 127)]), scalar(1e-30)]);
  const zeros = constant("uint8", [rows], new Uint8Array(rows).fill(128));
  const rounded = apply("QuantizeLinear", [x, step, zeros], { axis: 0 });
  const product = apply("MatMulIntegerToFloat", [rounded, weights, scalar(1), scales, ZERO]);
  return apply("Mul", [product, reshape(step, [rows, 1])]);
}
