// Feeding, writing in place and live data, on a program of one node.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { apply, mul } from "../graph/build.ts";
import { writeProgram } from "../graph/onnx.ts";
import { input } from "../graph/tensor.ts";
import { compile, createBuffer } from "./device.ts";

const product = mul(input("x", "float32", [2]), input("w", "float32", [2]));
const executable = await compile(writeProgram("product", { y: product }), { threads: 1, arena: true });
after(() => executable.dispose());

const vector = (...values: number[]) => createBuffer("float32", [values.length], Float32Array.from(values));

test("wrong feeds are named, with what was expected and what was found", async () => {
  const x = vector(1, 2);
  await assert.rejects(executable.run({ x }), {
    message: "product: expected w as float32[2], found nothing",
  });
  await assert.rejects(executable.run({ x, w: vector(1, 2, 3) }), {
    message: "product: expected w as float32[2], found float32[3]",
  });
  const ids = createBuffer("int64", [2], BigInt64Array.of(1n, 2n));
  await assert.rejects(executable.run({ x: ids, w: x }), {
    message: "product: expected x as float32[2], found int64[2]",
  });
});

test("feeds that a program does not take are left alone", async () => {
  const { y } = await executable.run({ x: vector(1, 2), w: vector(3, 4), other: vector(5) });
  assert.deepEqual([...y!.data], [3, 8]);
});

test("outputs are written into the buffers given, in place", async () => {
  const data = new Float32Array(4).fill(-1);
  const into = createBuffer("float32", [2], data.subarray(1, 3));
  const { y } = await executable.run({ x: vector(1, 2), w: vector(3, 4) }, { y: into });
  assert.equal(y, into);
  assert.deepEqual([...data], [-1, 3, 8, -1]);
});

test("what is written in place is not copied as well", async () => {
  const size = 1 << 20;
  const large = apply("Neg", [input("x", "float32", [size])]);
  const program = await compile(writeProgram("large", { y: large }), { threads: 1, arena: true });
  const x = createBuffer("float32", [size], new Float32Array(size).fill(2));
  const y = createBuffer("float32", [size], new Float32Array(size));
  await program.run({ x }, { y });
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 4; i++) await program.run({ x }, { y });
  // A copy of each would be 16 MB.
  assert.ok(process.memoryUsage().arrayBuffers - before < 1e6);
  assert.equal(y.data[size - 1], -2);
  await program.dispose();
});

test("a run that fails says so", async () => {
  const y = apply("Gather", [input("x", "float32", [2]), input("at", "int64", [1])], { axis: 0 });
  const program = await compile(writeProgram("picked", { y }), { threads: 1, arena: true });
  const at = (index: bigint) => createBuffer("int64", [1], BigInt64Array.of(index));
  assert.deepEqual([...(await program.run({ x: vector(1, 2), at: at(1n) })).y!.data], [2]);
  await assert.rejects(program.run({ x: vector(1, 2), at: at(7n) }), /Gather|out of/);
  await program.dispose();
});

test("a buffer for an output that does not fit is named", async () => {
  await assert.rejects(executable.run({ x: vector(1, 2), w: vector(3, 4) }, { y: vector(0, 0, 0) }), {
    message: "product: expected a buffer for y as float32[2], found float32[3]",
  });
});

test("a write to a buffer's data is seen by the next run, and outputs are buffers of their own", async () => {
  const x = vector(1, 2);
  const w = vector(3, 4);
  const first = (await executable.run({ x, w })).y!;
  (w.data as Float32Array).set([10, 20]);
  const second = (await executable.run({ x, w })).y!;
  assert.deepEqual([...first.data], [3, 8]);
  assert.deepEqual([...second.data], [10, 40]);
});

test("an output may be fed to the next run", async () => {
  const w = vector(3, 4);
  const { y } = await executable.run({ x: vector(1, 2), w });
  assert.deepEqual([...(await executable.run({ x: y!, w })).y!.data], [9, 32]);
});

test("a buffer holds as many values as its shape has", () => {
  assert.throws(
    () => createBuffer("float32", [2, 2], new Float32Array(3)),
    /Expected 4 values for \[2,2\], found 3/,
  );
});
