// Reverse-mode differentiation over whole graphs, run on small numbers; single rules are in test/ops.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import { add, apply, detach, mul, sigmoid, softmax, swiglu } from "./build.ts";
import { gradients } from "./gradient.ts";
import { input, nodesOf, scalar, type Tensor } from "./tensor.ts";

const x = input("x", "float32", [2]);
const z = input("z", "float32", [2]);
const seed = input("seed", "float32", [2]);

async function gradientsOf(y: Tensor, wrt: readonly Tensor[]): Promise<number[][]> {
  const given = gradients([{ output: y, gradient: seed }], wrt);
  const named = Object.fromEntries(given.map((gradient, i) => [`g${i}`, gradient]));
  const results = await evaluate(named, { x: [3, -2], z: [5, 7], seed: [1, 10] });
  return given.map((_, i) => numbersOf(results, `g${i}`));
}

test("a tensor used twice by one node gets both parts", async () => {
  assert.deepEqual(await gradientsOf(mul(x, x), [x]), [[6, -40]]);
});

test("a shared subexpression is differentiated once, with the sum of what flows into it", async () => {
  const shared = mul(x, z);
  const y = add(mul(shared, shared), shared);
  // d(s² + s)/dx = (2s + 1) z with s = xz.
  assert.deepEqual(await gradientsOf(y, [x, z]), [
    [31 * -1 * -5, -27 * 7 * 10],
    [31 * 3, -27 * -2 * 10],
  ]);
  const through = nodesOf(gradients([{ output: y, gradient: seed }], [x])).filter(
    (node) => node.op === "Mul" && node.inputs.some((from) => from.source === z.source),
  );
  assert.equal(through.length, 2, "the product itself, and one gradient through it");
});

test("nothing flows through a detached value", async () => {
  assert.deepEqual(await gradientsOf(mul(detach(mul(x, z)), x), [x]), [[3 * 5, -2 * 7 * 10]]);
});

test("the gradient of SwiGLU by hand is that of its parts", async () => {
  const slope = async (y: Tensor) => (await gradientsOf(y, [x, z])).flat();
  const [found, wanted] = [await slope(swiglu(x, z)), await slope(mul(mul(x, sigmoid(x)), z))];
  found.forEach((value, i) => {
    assert.ok(Math.abs(value - wanted[i]!) < 1e-6 * Math.abs(wanted[i]!), `${found}, wanted ${wanted}`);
  });
});

test("a tensor in the middle of the graph may be asked for, and what lies under it too", async () => {
  const middle = mul(x, z);
  assert.deepEqual(await gradientsOf(mul(middle, scalar(2)), [middle, x]), [
    [2, 20],
    [10, 140],
  ]);
});

test("an equal tensor object of the same node is the same tensor", async () => {
  const middle = mul(x, z);
  assert.deepEqual(await gradientsOf(mul({ ...middle }, middle), [{ ...middle }]), [[30, -280]]);
});

test("seeds at two outputs add up, one below the other included", async () => {
  const y = mul(x, z);
  const above = mul(y, scalar(3));
  const [dx] = gradients(
    [
      { output: y, gradient: seed },
      { output: above, gradient: scalar(100) },
    ],
    [x],
  );
  const results = await evaluate({ dx: dx! }, { x: [3, -2], z: [5, 7], seed: [1, 10] });
  assert.deepEqual(numbersOf(results, "dx"), [5 * 301, 7 * 310]);
});

test("nothing is built for inputs that are not asked for", () => {
  const [dx] = gradients([{ output: mul(x, softmax(z)), gradient: seed }], [x]);
  assert.deepEqual(
    nodesOf([dx!]).map((node) => node.op),
    ["Softmax", "Mul"],
  );
});

test("an output that does not depend on a tensor is an error that names it", () => {
  assert.throws(() => gradients([{ output: mul(x, x), gradient: seed }], [x, z]), /depends on z \[2\]/);
});

test("an operator without a gradient is named, with its reason, only when it is on the way", () => {
  const cast = apply("Cast", [x], { to: 1 });
  assert.throws(
    () => gradients([{ output: cast, gradient: seed }], [x]),
    /found Cast: another type than what flows back/,
  );
  const counted = apply("Cast", [input("n", "int64", [2])], { to: 1 });
  assert.equal(gradients([{ output: mul(x, counted), gradient: seed }], [x]).length, 1);
  const chosen = apply("Where", [apply("Equal", [x, z]), x, z]);
  assert.equal(
    gradients([{ output: chosen, gradient: seed }], [x]).length,
    1,
    "nothing flows to a condition",
  );
});
