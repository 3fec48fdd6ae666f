// What is alive at a time, of graphs small enough to count by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { add, apply, asHalf, mul, reshape } from "./build.ts";
import { peakBytes } from "./peak.ts";
import { input } from "./tensor.ts";

const x = input("x", "float32", [10]);
const exp = (y: typeof x) => apply("Exp", [y]);

test("inputs and outputs are the caller's, what is in between counts as long as it is used", () => {
  assert.equal(peakBytes({ y: exp(x) }), 0);
  assert.equal(peakBytes({ y: exp(exp(x)) }), 40);
  assert.equal(peakBytes({ y: exp(exp(exp(x))) }), 80);
  assert.equal(peakBytes({ y: exp(exp(exp(exp(x)))) }), 80);
  const [a, b] = [exp(x), exp(exp(x))];
  assert.equal(peakBytes({ y: add(mul(a, b), a) }), 120);
});

test("another shape of the same values takes nothing", () => {
  assert.equal(peakBytes({ y: exp(reshape(exp(x), [2, 5])) }), 40);
});

test("what nobody takes comes at once where that is asked for, and what it was made of can go", () => {
  const a = exp(x);
  const outputs = { y: exp(exp(exp(a))), held: asHalf(a) };
  assert.deepEqual([peakBytes(outputs, "depth"), peakBytes(outputs, "ends")], [120, 80]);
});
