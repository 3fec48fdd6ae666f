// Memory that is used again: one piece for all shapes of a place, large enough for the largest batch from the first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pool } from "./pool.ts";

const parts = (...sizes: number[]) => sizes.map((size, i) => ({ name: `${i}`, shape: [size] }));
const memoryOf = ({ data }: { readonly data: { readonly buffer: ArrayBufferLike } }) => data.buffer;

test("a buffer of another shape views the memory of the one before, and replaces it where it is too small", () => {
  const pool = new Pool();
  const first = pool.get("x", [2, 8]);
  assert.equal(pool.get("x", [2, 8]), first);
  const smaller = pool.get("x", [3]);
  assert.deepEqual([smaller.data.length, memoryOf(smaller)], [3, memoryOf(first)]);
  const larger = pool.get("x", [17]);
  assert.deepEqual([larger.data.length, memoryOf(larger) === memoryOf(first)], [17, false]);
  assert.notEqual(memoryOf(pool.get("y", [3])), memoryOf(larger));
});

test("a buffer in 16 bits takes half of the memory", () => {
  const pool = new Pool();
  const { a, b } = pool.all("0", [
    { name: "a", shape: [3, 32], dtype: "float16" },
    { name: "b", shape: [4] },
  ]);
  assert.deepEqual([a!.dtype, a!.data.length, a!.data.byteLength], ["float16", 96, 192]);
  assert.deepEqual([b!.dtype, b!.data.byteOffset], ["float32", 192]);
  assert.equal(pool.like("1", { a: a! })["a"]!.dtype, "float16");
});

test("buffers of a group lie beside each other in one piece, whatever its parts were before", () => {
  const pool = new Pool();
  const group = parts(5, 16, 1);
  const buffers = pool.all("0", group);
  assert.equal(pool.all("0", group), buffers);
  const all = Object.values(buffers);
  all.forEach(({ data }, i) => {
    (data as Float32Array).fill(i + 1);
  });
  assert.deepEqual(
    all.map(({ data }) => [...(data as Float32Array)]),
    [5, 16, 1].map((size, i) => Array<number>(size).fill(i + 1)),
  );
  assert.ok(all.every(({ data }) => data.byteOffset % 64 === 0));
  const other = pool.all("0", parts(16, 16));
  assert.deepEqual(Object.keys(other), ["0", "1"]);
  for (const buffer of [...Object.values(other), ...all]) assert.equal(memoryOf(buffer), memoryOf(all[0]!));
  assert.notEqual(memoryOf(pool.all("1", group)["0"]!), memoryOf(all[0]!));
});

test("memory of a small batch does for the largest that is expected", () => {
  const pool = new Pool(512);
  const places = (rows: number) => {
    pool.begin(rows);
    return [pool.get("x", [rows, 4]), pool.all("0", parts(rows * 16, rows * 3))["1"]!];
  };
  const small = places(64);
  const large = places(512);
  assert.deepEqual(large.map(memoryOf), small.map(memoryOf));
  const beyond = places(1024);
  assert.ok(beyond.every((buffer, i) => memoryOf(buffer) !== memoryOf(small[i]!)));
});
