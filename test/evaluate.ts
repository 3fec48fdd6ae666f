// Runs a graph on given numbers, for tests: compile, feed, run once, dispose.

import type { DType, TypedArray } from "../src/base/dtype.ts";
import type { Outputs } from "../src/graph/names.ts";
import { writeProgram } from "../src/graph/onnx.ts";
import { type Buffers, compile, createBuffer } from "../src/runtime/device.ts";

export type Numbers = Readonly<Record<string, readonly number[] | TypedArray>>;

/** Buffers of `outputs`, given the numbers of every input by name. */
export async function evaluate(outputs: Outputs, numbers: Numbers = {}): Promise<Buffers> {
  const program = writeProgram("test", outputs);
  const executable = await compile(program, { threads: 1, arena: true });
  try {
    const feeds = Object.entries(program.inputs).map(([name, { dtype, shape }]) => [
      name,
      createBuffer(dtype, shape, arrayOf(dtype, numbers[name] ?? [])),
    ]);
    const results = await executable.run(Object.fromEntries(feeds) as Buffers);
    // Copied, so that no test depends on how long the runtime keeps its memory.
    return Object.fromEntries(
      Object.entries(results).map(([name, buffer]) => [name, { ...buffer, data: buffer.data.slice() }]),
    );
  } finally {
    await executable.dispose();
  }
}

/** The numbers of one output. */
export function numbersOf(buffers: Buffers, name: string): number[] {
  return Array.from(buffers[name]!.data, Number);
}

function arrayOf(dtype: DType, values: readonly number[] | TypedArray): TypedArray {
  if (!Array.isArray(values)) return values as TypedArray;
  if (dtype === "int64") return BigInt64Array.from(values, BigInt);
  if (dtype === "int32") return Int32Array.from(values);
  return dtype === "float32" ? Float32Array.from(values) : Uint8Array.from(values);
}
