// Buffers that go round, and those that are let go.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSlabs, letGo } from "./slabs.ts";

test("a slab that was given back is taken again, the smallest that fits", () => {
  const slabs = createSlabs();
  const [small, large] = [slabs.take(1), slabs.take(1 << 20)];
  slabs.give(large);
  slabs.give(small);
  assert.equal(slabs.take(100), small);
  assert.equal(slabs.take(100), large);
  assert.notEqual(slabs.take(100), large);
});

test("a buffer that has its memory for itself is let go, one that shares it is not", () => {
  const own = Buffer.allocUnsafeSlow(1 << 16);
  letGo(own);
  assert.equal(own.length, 0);
  const [one, other] = [Buffer.from("one"), Buffer.from("other")];
  assert.equal(one.buffer, other.buffer);
  letGo(one);
  const part = Buffer.allocUnsafeSlow(8).fill("x").subarray(0, 4);
  letGo(part);
  assert.deepEqual([one, other, part].map(String), ["one", "other", "xxxx"]);
});
