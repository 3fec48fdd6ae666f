// Graph pieces without numbers: constants, and the order in which nodes are written.

import assert from "node:assert/strict";
import { test } from "node:test";
import { add, mul } from "./build.ts";
import { constant, constantValues, input, int64s, nodesOf, scalar, type Tensor } from "./tensor.ts";

const x = input("x", "float32", [2]);

test("constants hold as many values as their shape has", () => {
  assert.throws(
    () => constant("float32", [2, 2], new Float32Array(3)),
    /Expected 4 values .* \[2,2\], found 3/,
  );
  assert.deepEqual(scalar(0.5).shape, []);
  assert.deepEqual(int64s([-1, 2 ** 40]).shape, [2]);
  assert.deepEqual(constantValues(int64s([-1, 2 ** 40])), [-1, 2 ** 40]);
  assert.throws(() => constantValues(add(x, x)), /Expected a constant/);
});

test("nodes come after what they take from, each once", () => {
  const shared = mul(x, x);
  const left = add(shared, x);
  const right = add(x, shared);
  const nodes = nodesOf([mul(left, right), right]);
  assert.equal(nodes.length, 4);
  nodes.forEach((node, i) => {
    for (const { source } of node.inputs) {
      if (source.kind === "node") assert.ok(nodes.indexOf(source) < i);
    }
  });
});

test("a chain of 100,000 nodes does not overflow the stack", () => {
  let y: Tensor = x;
  for (let i = 0; i < 100_000; i++)
    y = { ...x, source: { kind: "node", op: "Neg", inputs: [y], attributes: {} } };
  assert.equal(nodesOf([y]).length, 100_000);
});
