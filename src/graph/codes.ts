// A matrix on eight bits, one step a row, and back: a quarter of the memory for what only has to be remembered.

import { apply, mul } from "./build.ts";
import { constant, int64s, scalar, type Tensor } from "./tensor.ts";

/** Codes int8 [n, k] and the steps [n] of their rows. */
export type Codes = { readonly codes: Tensor; readonly step: Tensor };

/** x [n, k] with 255 steps a row. Rows of zeros stay zeros. */
export function asCodes(x: Tensor): Codes {
  const extreme = (op: string) => apply(op, [x, int64s([1])], { keepdims: 0 });
  const largest = apply("Max", [extreme("ReduceMax"), apply("Neg", [extreme("ReduceMin")])]);
  const step = apply("Max", [mul(largest, scalar(1 / 127)), scalar(1e-30)]);
  const rows = x.shape[0]!;
  const zeros = constant("int8", [rows], new Int8Array(rows));
  return { codes: apply("QuantizeLinear", [x, step, zeros], { axis: 0 }), step };
}

/** The values [n, k] that codes stand for. */
export function fromCodes({ codes, step }: Codes): Tensor {
  return apply("DequantizeLinear", [codes, step], { axis: 0 });
}
