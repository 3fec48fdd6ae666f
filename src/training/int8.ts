// Frozen products on eight-bit integers, as part of a graph: y = xWᵀ with activations rounded row by row, and the same
// for what flows back. The few largest input channels go through in f32 beside it: rounding them decides whether a
// network trains at all (LLM.int8, Dettmers et al., 2022). What is trained never passes here.

import type { Products } from "../adapters/kind.ts";
import { apply, mul, reshape, transpose, withPullback } from "../graph/build.ts";
import { constant, input, int64s, scalar, type Tensor } from "../graph/tensor.ts";

/** Linear layers that share an input, computed as one product. */
export type FrozenGroup = {
  /** Names within the block, in order. */
  readonly names: readonly string[];
  /** Outputs of each. */
  readonly outs: readonly number[];
  readonly inner: number;
  /** Whether the weights are held once, for the way forward, and turned by the program on the way back. */
  readonly once?: boolean;
};

/** Input channels that stay f32; twice as many where a product narrows: there they cost little and matter most. */
const CHANNELS = 16;

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

export function channelsOf(group: FrozenGroup): number {
  return Math.min(group.inner > widthOf(group) ? 2 * CHANNELS : CHANNELS, group.inner);
}

/** Numbers of a layer [outputs, inputs] that stay f32, at most: the columns of its channels. */
export function apartFrom(shape: readonly number[]): number {
  const [out, inner] = shape as [number, number];
  return out * channelsOf({ names: [], outs: [out], inner });
}

/** So many outputs and more are a product of their own: apart they are as fast, and nothing has to be split. */
const APART = 1024;

/** What is computed as one product each: the group, or every layer of it. */
export function partsOf(group: FrozenGroup): FrozenGroup[] {
  const { names, outs } = group;
  if (outs.some((out) => out < APART)) return [group];
  return names.map((name, i) => ({ ...group, names: [name], outs: [outs[i]!] }));
}

/** Gives an input of the program by its name: one and the same where a product is built more than once. */
export type Given = typeof input;

/** The products of a group's parts, each [n, sum of outputs], of x [n, inner]. */
export function int8Products(x: Tensor, group: FrozenGroup, given: Given = input): Products[] {
  const { inner, once } = group;
  const { channels, rounded } = groupInputs(group);
  const few = channelsOf(group);
  // A row's scale is that of the channels that are rounded. Weights held once have columns for the others as well.
  const masked = mul(x, given(rounded, "float32", [inner]));
  const codes = roundRows(once ? masked : x, masked);
  const picked = apply("Gather", [x, given(channels, "int64", [few])], { axis: 1 });
  return partsOf(group).map((part) => {
    const names = groupInputs(part);
    const width = widthOf(part);
    const forward = {
      weights: given(names.forward, "int8", [inner, width]),
      scales: given(names.forwardScale, "float32", [width]),
    };
    const columns = given(names.columns, "float32", [few, width]);
    const value = apply("Gemm", [picked, columns, roundedProduct(codes, forward)]);
    const rule = (dy: Tensor) => [once ? turnedProduct(dy, forward) : backProduct(dy, part, given)];
    return { names: part.names, product: withPullback(value, { of: [x], rule }) };
  });
}

/** dy·W of a copy of its own. */
function backProduct(dy: Tensor, part: FrozenGroup, given: Given): Tensor {
  const { backward, backwardScale } = groupInputs(part);
  const weights = given(backward, "int8", [widthOf(part), part.inner]);
  return roundedProduct(roundRows(dy, dy), {
    weights,
    scales: given(backwardScale, "float32", [part.inner]),
  });
}

/** dy·W of the weights of the way forward: their steps, one for each output, go into dy before it is rounded. */
function turnedProduct(dy: Tensor, { weights, scales }: Weights): Tensor {
  const inner = weights.shape[0]!;
  const steps = mul(dy, scales);
  const ones = constant("float32", [inner], new Float32Array(inner).fill(1));
  return roundedProduct(roundRows(steps, steps), { weights: transpose(weights, [1, 0]), scales: ones });
}

const ZERO = constant("uint8", [], Uint8Array.of(128));

/** Rows in steps of their own, as uint8 [n, k] around 128, and these steps [n]. */
type Codes = { readonly codes: Tensor; readonly step: Tensor };

/** x [n, k] with 255 steps a row, from the largest magnitude of `measured`'s row. Rows of zeros stay zeros. */
function roundRows(x: Tensor, measured: Tensor): Codes {
  const extreme = (op: string) => apply(op, [measured, int64s([1])], { keepdims: 0 });
  // Two passes that only read, instead of one that writes magnitudes and one that reads them.
  const largest = apply("Max", [extreme("ReduceMax"), apply("Neg", [extreme("ReduceMin")])]);
  const step = apply("Max", [apply("Mul", [largest, scalar(1 / 127)]), scalar(1e-30)]);
  const rows = x.shape[0]!;
  const zeros = constant("uint8", [rows], new Uint8Array(rows).fill(128));
  return { codes: apply("QuantizeLinear", [x, step, zeros], { axis: 0 }), step };
}

type Weights = { readonly weights: Tensor; readonly scales: Tensor };

/** The product of what was rounded. Unsigned times signed is the fast one, hence the zero point. */
function roundedProduct({ codes, step }: Codes, { weights, scales }: Weights): Tensor {
  const product = apply("MatMulIntegerToFloat", [codes, weights, scalar(1), scales, ZERO]);
  return apply("Mul", [product, reshape(step, [codes.shape[0]!, 1])]);
}
