// Element types of tensors in programs and of arrays in memory. Storage types of weight files (Q4_1, BF16…)
// belong to `weights`; by the time numbers get here they are one of these.

export type DType = "float32" | "float16" | "int64" | "int32" | "uint8" | "int8" | "bool";

export type TypedArray = Float32Array | Uint16Array | BigInt64Array | Int32Array | Uint8Array | Int8Array;

export const bytesPerElement: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  int64: 8,
  int32: 4,
  uint8: 1,
  int8: 1,
  bool: 1,
};

/** Number of elements of a shape; the empty shape is a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

export function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((extent, axis) => extent === b[axis]));
}
