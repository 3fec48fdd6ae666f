// Written programs run in onnxruntime and mean what the graph says; equal graphs give equal bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import type { DType, TypedArray } from "../base/dtype.ts";
import { add, apply, applyAll, linear, mul, reduceSum, transpose } from "./build.ts";
import { writeProgram } from "./onnx.ts";
import { constant, input, scalar, type Tensor } from "./tensor.ts";

const build = () => {
  const x = input("x", "float32", [2, 3]);
  const w = input("w", "float32", [2, 3]);
  return { y: mul(linear(x, w), scalar(2)), sum: reduceSum(x, [0]) };
};

test("a program has the inputs its outputs reach, and computes them", async () => {
  const program = writeProgram("small", build());
  assert.deepEqual(program.inputs, {
    x: { dtype: "float32", shape: [2, 3] },
    w: { dtype: "float32", shape: [2, 3] },
  });
  const results = await evaluate(build(), { x: [1, 2, 3, 4, 5, 6], w: [1, 0, 1, 0, 1, 0] });
  assert.deepEqual(numbersOf(results, "y"), [8, 4, 20, 10]);
  assert.deepEqual(numbersOf(results, "sum"), [5, 7, 9]);
});

test("equal graphs give equal bytes, and a change of one attribute, constant or name does not", () => {
  const bytesOf = (name: string, outputs: Readonly<Record<string, Tensor>>) =>
    Buffer.from(writeProgram(name, outputs).onnx).toString("hex");
  const first = bytesOf("small", build());
  assert.equal(bytesOf("small", build()), first);
  const x = input("x", "float32", [2, 2]);
  const variants = [
    ["small", { y: apply("Gemm", [x, x]) }],
    ["small", { y: apply("Gemm", [x, x], { transB: 1 }) }],
    ["small", { y: apply("Gemm", [x, x], { alpha: 0.5 }) }],
    ["other", { y: apply("Gemm", [x, x]) }],
    ["small", { z: apply("Gemm", [x, x]) }],
    ["small", { y: mul(x, scalar(2)) }],
    ["small", { y: mul(x, scalar(3)) }],
  ] as const;
  assert.equal(new Set(variants.map(([name, outputs]) => bytesOf(name, outputs))).size, variants.length);
});

test("one value under two names, an input and a constant handed through", async () => {
  const x = input("x", "float32", [2]);
  const y = add(x, x);
  const results = await evaluate({ y, again: { ...y }, same: x, one: scalar(1) }, { x: [1, 2] });
  for (const name of ["y", "again"]) assert.deepEqual(numbersOf(results, name), [2, 4]);
  assert.deepEqual(numbersOf(results, "same"), [1, 2]);
  assert.deepEqual(numbersOf(results, "one"), [1]);
});

test("attributes of every type: int, ints, float, string", async () => {
  const x = input("x", "float32", [2, 2]);
  const product = apply("Gemm", [x, x], { transB: 1, alpha: 0.5 });
  const rows = constant("int64", [2, 1], BigInt64Array.of(0n, 0n));
  const y = apply("ScatterND", [transpose(product, [1, 0]), rows, x], { reduction: "add" });
  const results = await evaluate({ y }, { x: [1, 2, 3, 4] });
  // x·xᵀ/2 is symmetric: [[2.5, 5.5], [5.5, 12.5]]; both rows of x are added to its first.
  assert.deepEqual(numbersOf(results, "y"), [6.5, 11.5, 5.5, 12.5]);
  assert.deepEqual(
    numbersOf(await evaluate({ y: apply("Softmax", [x], { axis: -1 }) }, { x: [0, 0, 5, 5] }), "y"),
    [0.5, 0.5, 0.5, 0.5],
  );
});

const constants: Readonly<Record<DType, TypedArray>> = {
  float32: Float32Array.of(1.5, -2, 1e-30),
  float16: Uint16Array.of(0x3e00, 0xc000, 0),
  int64: BigInt64Array.of(-1n, 2n ** 62n, 0n),
  int32: Int32Array.of(-1, 2 ** 30, 0),
  uint8: Uint8Array.of(255, 1, 0),
  int8: Int8Array.of(-128, 127, 0),
  bool: Uint8Array.of(1, 0, 1),
};

for (const [dtype, values] of Object.entries(constants) as [DType, TypedArray][]) {
  test(`a constant of ${dtype} arrives as it is`, async () => {
    const { y } = await evaluate({ y: constant(dtype, [3], values) });
    const bits = (array: TypedArray) =>
      Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("hex");
    assert.equal(bits(y!.data), bits(values));
    assert.equal((y!.handle as { type: string }).type, dtype);
  });
}

test("a constant that is a view into a larger array is written without the rest", async () => {
  const view = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
  assert.deepEqual(numbersOf(await evaluate({ y: constant("float32", [2], view) }), "y"), [1, 2]);
});

test("nodes are named as in the printed graph, so that the runtime's messages can be read", async () => {
  const x = input("x", "float32", [2, 2]);
  const picked = apply("Gather", [x, input("ids", "int64", [1])]);
  const y = add(picked, scalar(1));
  await assert.rejects(evaluate({ y }, { x: [1, 2, 3, 4], ids: [7] }), /Gather node. Name:'v0'/);
});

test("outputs of a node that nobody uses are written all the same", () => {
  const shape = [1, 1, 2, 16];
  const tensors = ["q", "k", "v"].map((name) => input(name, "float32", [1, 1, 16]));
  const past = ["past_k", "past_v"].map((name) => input(name, "float32", shape));
  const place = [input("seqlens", "int32", [1]), input("total", "int32", [])];
  const tables = ["cos", "sin"].map((name) => input(name, "float32", [2, 8]));
  const attributes = { num_heads: 1, kv_num_heads: 1, do_rotary: 1, scale: 0.25 };
  const [y] = applyAll("GroupQueryAttention", [...tensors, ...past, ...place, ...tables], attributes);
  const text = Buffer.from(writeProgram("cached", { y: y! }).onnx).toString("latin1");
  for (const name of ["v0_1", "v0_2"]) assert.ok(text.includes(name), name);
});
