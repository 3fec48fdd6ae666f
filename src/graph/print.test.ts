// The printed form of small graphs; whole programs are compared with files in test/snapshots.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { add, apply, applyAll, linear, mul, reshape } from "./build.ts";
import { writeProgram } from "./onnx.ts";
import { printGraph, printProgram } from "./print.ts";
import { constant, input, scalar } from "./tensor.ts";

test("inputs first, one line a node, outputs last, small constants where they are used", () => {
  const x = input("x", "float32", [4, 3]);
  const w = input("w", "float32", [2, 3]);
  const product = linear(x, w);
  const y = reshape(mul(product, scalar(0.1)), [2, 4]);
  assert.equal(
    printProgram(writeProgram("small", { y, product, same: x })),
    `program small
input x f32[4,3]
input w f32[2,3]
product f32[4,2] = Gemm(x, w, transB=1)
v1 f32[4,2] = Mul(product, 0.1)
y f32[2,4] = Reshape(v1, [2 4])
output y f32[2,4]
output product f32[4,2]
output same f32[4,3] = x
`,
  );
});

test("one value under two names, and large constants on a line of their own", () => {
  const x = input("x", "float32", [9]);
  const large = constant(
    "float32",
    [9],
    Float32Array.from({ length: 9 }, (_, i) => i / 3),
  );
  const y = add(x, large);
  assert.equal(
    printGraph({ y, again: { ...y } }),
    `input x f32[9]
c0 f32[9] = [0 0.333333 0.666667 1 1.33333 1.66667 2 2.33333 …], sum 12
y f32[9] = Add(x, c0)
output y f32[9]
output again f32[9] = y
`,
  );
});

test("every output of a node is printed, and attributes by kind", () => {
  const inputs = ["q", "k", "v"].map((name) => input(name, "float32", [1, 1, 16]));
  const past = ["past_k", "past_v"].map((name) => input(name, "float32", [1, 1, 2, 16]));
  const place = [input("seqlens", "int32", [1]), input("total", "int32", [])];
  const tables = ["cos", "sin"].map((name) => input(name, "float32", [2, 8]));
  const attributes = { num_heads: 1, kv_num_heads: 1, do_rotary: 1, scale: 0.25 };
  const [y, key] = applyAll("GroupQueryAttention", [...inputs, ...past, ...place, ...tables], attributes);
  const lines = printGraph({ y: y!, key: apply("Transpose", [key!], { perm: [1, 0, 2, 3] }) }).split("\n");
  assert.equal(
    lines.find((line) => line.includes("GroupQuery")),
    "y f32[1,1,16], v0_1 f32[1,1,2,16], v0_2 f32[1,1,2,16] = GroupQueryAttention(q, k, v, past_k, past_v, seqlens, " +
      "total, cos, sin, num_heads=1, kv_num_heads=1, do_rotary=1, scale=0.25)",
  );
  assert.ok(lines.includes("key f32[1,1,2,16] = Transpose(v0_1, perm=[1,0,2,3])"));
});
