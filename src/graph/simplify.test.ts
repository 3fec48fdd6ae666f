// Simplified graphs give the same values with fewer nodes, and a backward pass cut off from its forward pass the same
// gradients.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import {
  add,
  apply,
  linear,
  matMul,
  mul,
  reshape,
  sigmoid,
  silu,
  softmax,
  split,
  withPullback,
} from "./build.ts";
import { gradients } from "./gradient.ts";
import { printGraph } from "./print.ts";
import { cutForward } from "./rewrite.ts";
import { simplify } from "./simplify.ts";
import { input, nodesOf, type Tensor } from "./tensor.ts";

const x = input("x", "float32", [2, 3]);
const w = input("w", "float32", [4, 3]);
const a = input("a", "float32", [2, 3]);
const b = input("b", "float32", [4, 2]);
const row = input("row", "float32", [4]);
const feeds = {
  row: [3, -1, 0.5, 2],
  x: [1, -2, 3, 0.5, 4, -1],
  w: [1, 2, 3, -1, 0, 2, 5, -2, 1, 0, 1, -1],
  a: [0.3, -0.2, 0.1, 0.5, 0.4, -0.6],
  b: [1, 2, -1, 0.5, 0.25, 3, -2, 1],
};

async function requireSame(outputs: Readonly<Record<string, Tensor>>, nodes: number): Promise<void> {
  const simple = simplify(outputs);
  assert.equal(nodesOf(Object.values(simple)).length, nodes, printGraph(simple));
  const [wanted, found] = [await evaluate(outputs, feeds), await evaluate(simple, feeds)];
  for (const name of Object.keys(outputs)) {
    numbersOf(wanted, name).forEach((value, i) => {
      const other = numbersOf(found, name)[i]!;
      assert.ok(
        Math.abs(other - value) <= 1e-5 * Math.max(1, Math.abs(value)),
        `${name}[${i}]: ${other}, ${value}`,
      );
    });
  }
}

test("what is computed twice is computed once", () =>
  requireSame({ y: add(sigmoid(linear(x, w)), linear(x, w)) }, 3));

test("a matrix that rides in a product is added after it, a row stays where it is", async () => {
  const other = sigmoid(linear(x, w));
  await requireSame({ y: apply("Gemm", [a, w, other], { transB: 1, alpha: 0.5 }) }, 4);
  await requireSame({ y: apply("Gemm", [a, w, row], { transB: 1 }) }, 1);
});

test("a product that others need too stays as it is", async () => {
  const product = linear(a, w);
  await requireSame({ y: add(sigmoid(linear(x, w)), product), z: mul(product, product) }, 5);
});

test("narrow products on one addend become one", () => {
  const low = linear(x, a);
  const y = apply("Gemm", [low, b, apply("Gemm", [x, w, sigmoid(linear(x, w))], { transB: 1 })], {
    transB: 1,
    alpha: 0.5,
  });
  // Two for the addend, one for the low product, its weight, two joins, one product, the sum.
  return requireSame({ y }, 8);
});

test("what only says how gradients flow is left out", () => {
  const y = withPullback(sigmoid(x), { of: [x], rule: (dy) => [dy] });
  return requireSame({ y: mul(y, y) }, 2);
});

test("a backward pass that takes what was kept gives the gradients of one that computes all again", async () => {
  const parts = split(linear(silu(x), w), [1, 3], 1);
  const y = matMul(softmax(mul(parts[1]!, parts[0]!)), reshape(x, [3, 2]));
  const dy = input("dy", "float32", y.shape);
  const [dx, dw] = gradients([{ output: y, gradient: dy }], [x, w]);
  const whole = await evaluate({ dx: dx!, dw: dw! }, { ...feeds, dy: [1, -1, 0.5, 2] });
  for (const dear of [[], ["Gemm"], ["Softmax", "Split"], ["Sigmoid", "Softmax", "Gemm"]]) {
    const { backward, kept } = cutForward({ dx: dx!, dw: dw! }, [y], {
      keeps: (_, node) => dear.includes(node.op),
    });
    assert.equal(Object.keys(kept).length > 0, dear.length > 0);
    assert.ok(
      nodesOf(Object.values(backward)).every(({ op, inputs }) => !(dear.includes(op) && inputs[0] === x)),
    );
    const forward = Object.keys(kept).length > 0 ? await evaluate(kept, feeds) : {};
    const given = Object.fromEntries(Object.keys(kept).map((name) => [name, numbersOf(forward, name)]));
    const found = await evaluate(backward, { ...feeds, ...given, dy: [1, -1, 0.5, 2] });
    for (const name of ["dx", "dw"]) {
      numbersOf(found, name).forEach((value, i) => {
        const wanted = numbersOf(whole, name)[i]!;
        assert.ok(
          Math.abs(value - wanted) < 1e-5 * Math.max(1, Math.abs(wanted)),
          `${name}[${i}] keeping ${dear}`,
        );
      });
    }
  }
});
