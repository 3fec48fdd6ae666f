// Sample inputs for the finite-difference test: inputs that carry numbers, so that they are constants here and
// become real inputs in the test. Deterministic: the values depend on shape and range only.

import { sizeOf } from "../base/dtype.ts";
import { createRandom } from "../base/random.ts";
import { constant, type Tensor } from "./tensor.ts";

/** Uniform float32 values in [low, high). */
export function uniform(shape: readonly number[], low = -1, high = 1): Tensor {
  const random = createRandom(sizeOf(shape) * 31 + shape.length + Math.round(low * 7 + high * 13));
  const values = Float32Array.from({ length: sizeOf(shape) }, () => low + (high - low) * random.uniform());
  return constant("float32", shape, values);
}

/** int64 values as given. */
export function integers(shape: readonly number[], values: readonly number[]): Tensor {
  return constant("int64", shape, BigInt64Array.from(values, BigInt));
}

/** int32 values as given. */
export function int32s(shape: readonly number[], values: readonly number[]): Tensor {
  return constant("int32", shape, Int32Array.from(values));
}

/** bool values as given. */
export function booleans(shape: readonly number[], values: readonly number[]): Tensor {
  return constant("bool", shape, Uint8Array.from(values));
}

/** uint8 or int8 values in [low, high), evenly spread. */
export function eightBits(
  dtype: "uint8" | "int8",
  shape: readonly number[],
  [low, high]: [number, number],
): Tensor {
  const random = createRandom(sizeOf(shape) * 31 + low * 7 + high * 13);
  const next = () => low + random.below(high - low);
  const size = sizeOf(shape);
  const values =
    dtype === "int8" ? Int8Array.from({ length: size }, next) : Uint8Array.from({ length: size }, next);
  return constant(dtype, shape, values);
}
