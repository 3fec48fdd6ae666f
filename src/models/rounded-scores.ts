// Scores of attention's tiles on eight-bit integers: what queries and keys give, and what flows back to probabilities.
// Keys are taken less their mean, which no probability can tell (SageAttention, Zhang et al., 2024). Knows no tile's
// place in its sequence.

import { apply, neg, reshape, slice, split, sub, transpose } from "../graph/build.ts";
import { constant, int64s, scalar, type Tensor } from "../graph/tensor.ts";
import type { Turns } from "./turns.ts";

/** Queries [groups, blocks, rows, d]; keys and values [groups, length, d]. */
type Asked = Readonly<Record<"queries" | "keys", Tensor>>;

/** A tile: its group, its block of queries, and the keys that all of it meets. */
export type Place = { readonly i: number; readonly at: number; readonly met: readonly [number, number] };

/** Keys [groups, length, d] less the mean of each group's. */
export function centred(keys: Tensor): Tensor {
  return sub(keys, apply("ReduceMean", [keys, int64s([1])], { keepdims: 1 }));
}

/**
 * Scores [rows, met] of a tile; `most` is how many steps the largest of an operand has. Those of the way back are made
 * of the same codes: else a row's probabilities would no longer sum to one.
 */
export function roundedScores({ queries, keys }: Asked, most: number) {
  const blocks = queries.shape[1]!;
  const asked = rounded(stacksOf(queries), { dtype: "uint8", most });
  const met = rounded(keys, { dtype: "int8", most, turned: true });
  return ({ i, at, met: range }: Place, inTurn: Turns): Tensor => {
    const own = asked[i * blocks + at]!;
    const [step] = inTurn.next([own.step]) as [Tensor];
    return product({ ...own, step }, { ...met[i]!, codes: slice(met[i]!.codes, 1, range) });
  };
}

/** What attention over such tiles gave: the logarithm of each row's sum, and each row's dO·O, [groups, blocks, rows, 1]. */
type Known = Asked & Readonly<Record<"values" | "dy" | "sums" | "delta", Tensor>>;

/** S - sums and dP - delta of a tile, keys as rows, [met, rows] each. */
export function roundedSlopes({ queries, keys, values, dy, sums, delta }: Known, most: number) {
  const [groups, blocks, rows] = queries.shape as [number, number, number];
  const asked = rounded(stacksOf(queries), { dtype: "int8", most, turned: true });
  const given = rounded(stacksOf(dy), { dtype: "int8", most, byRow: true, turned: true });
  const [met, mix] = [keys, values].map((x) => rounded(x, { dtype: "uint8", most }));
  const [ofSums, ofDelta] = [sums, delta].map((x) => parted(reshape(neg(x), [groups * blocks * rows]), rows));
  return ({ i, at, met: range }: Place, inTurn: Turns): readonly [Tensor, Tensor] => {
    const k = i * blocks + at;
    const [step, steps] = inTurn.next([asked[k]!.step, given[k]!.step]) as [Tensor, Tensor];
    const rowsOf = (x: Rounded) => ({ ...x, codes: slice(x.codes, 0, range) });
    return [
      product(rowsOf(met![i]!), { ...asked[k]!, step }, ofSums![k]!),
      product(rowsOf(mix![i]!), { ...given[k]!, step: steps }, ofDelta![k]!),
    ];
  };
}

/** Codes [rows, d], or turned, and their step [1], or one for each row. */
type Rounded = { readonly codes: Tensor; readonly step: Tensor };

const ZERO = {
  uint8: constant("uint8", [], Uint8Array.of(128)),
  int8: constant("int8", [], Int8Array.of(0)),
};

/** a·b + addend, of a around 128 with one step. */
function product(a: Rounded, b: Rounded, addend?: Tensor): Tensor {
  const more = addend ? [ZERO.int8, addend] : [];
  return apply("MatMulIntegerToFloat", [a.codes, b.codes, a.step, b.step, ZERO.uint8, ...more]);
}

type Steps = {
  readonly dtype: keyof typeof ZERO;
  /** Steps of the largest magnitude. */
  readonly most: number;
  /** Whether each row has a step of its own, and not each stack. */
  readonly byRow?: boolean;
  /** Whether codes are wanted as [d, rows]. */
  readonly turned?: boolean;
};

/** Each stack of x [stacks, rows, d] rounded. Zeros stay zeros. */
function rounded(x: Tensor, { dtype, most, byRow = false, turned = false }: Steps): Rounded[] {
  const [stacks, rows, d] = x.shape as [number, number, number];
  const [count, width] = byRow ? [stacks * rows, d] : [stacks, rows * d];
  const flat = reshape(x, [count, width]);
  const extreme = (op: string) => apply(op, [flat, int64s([1])], { keepdims: 0 });
  const largest = apply("Max", [extreme("ReduceMax"), neg(extreme("ReduceMin"))]);
  const step = apply("Max", [apply("Mul", [largest, scalar(1 / most)]), scalar(1e-30)]);
  const codes = apply("QuantizeLinear", [flat, step, zeros(dtype, count)], { axis: 0 });
  const steps = parted(step, count / stacks);
  const [height, across] = turned ? [d, rows] : [rows, d];
  const each = turned ? transpose(reshape(codes, [stacks, rows, d]), [0, 2, 1]) : codes;
  return parted(reshape(each, [stacks * height, across]), height).map((part, i) => ({
    codes: part,
    step: steps[i]!,
  }));
}

/** x [groups, blocks, rows, d] as [groups · blocks, rows, d]. */
function stacksOf(x: Tensor): Tensor {
  const [groups, blocks, ...rest] = x.shape as [number, number, ...number[]];
  return reshape(x, [groups * blocks, ...rest]);
}

/** Parts of so many rows each. */
function parted(x: Tensor, rows: number): Tensor[] {
  return split(x, Array<number>(x.shape[0]! / rows).fill(rows), 0);
}

function zeros(dtype: keyof typeof ZERO, count: number): Tensor {
  if (dtype === "int8") return constant(dtype, [count], new Int8Array(count));
  return constant(dtype, [count], new Uint8Array(count).fill(128));
}
