// The kernel against its formula written out, for lengths around its pieces and its vectors.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { type AdamwArrays, stepValues } from "./adamw-kernel.ts";

const factors = {
  ...{ keep: 0.999, beta1: 0.9, beta2: 0.98, ofFirst: 0.05, ofSecond: 0.01 },
  ...{ numerator: 0.003, least: 1e-6 },
};

type Case = { readonly length: number; readonly scale: number };

/** Arrays of a size as training has it: second moments are as large as squares of gradients. */
function arraysOf({ length, scale }: Case): AdamwArrays {
  const random = createRandom(length);
  const made = (least: number, times: number) =>
    Float32Array.from({ length }, () => (least + random.uniform()) * times);
  return {
    data: made(-0.5, 1),
    gradient: made(-0.5, scale),
    first: made(-0.5, scale),
    second: made(0, scale * scale),
  };
}

function requireStep(arrays: AdamwArrays): void {
  const before = structuredClone(arrays);
  stepValues(arrays, factors);
  assert.deepEqual(arrays.gradient, before.gradient);
  for (let i = 0; i < before.data.length; i++) {
    const g = before.gradient[i]!;
    const [ofM, ofV] = [factors.beta1 * before.first[i]!, factors.beta2 * before.second[i]!];
    const [m, v] = [ofM + factors.ofFirst * g, ofV + factors.ofSecond * g * g];
    const change = (factors.numerator * m) / (Math.sqrt(v) + factors.least);
    const value = before.data[i]! * factors.keep - change;
    // Of what is added: a sum near zero has lost the digits of its parts.
    requireNear(arrays.first[i]!, m, Math.abs(ofM) + Math.abs(factors.ofFirst * g));
    requireNear(arrays.second[i]!, v, v);
    requireNear(arrays.data[i]!, value, Math.abs(before.data[i]!) + Math.abs(change));
  }
}

for (const length of [1, 3, 4, 5, 16_383, 16_384, 16_385, 40_001]) {
  for (const scale of [1, 1e-4, 1e-8]) {
    test(`a step over ${length} values, gradients of about ${scale}`, () => {
      requireStep(arraysOf({ length, scale }));
    });
  }
}

test("what was in the module's memory before has no say", () => {
  const arrays = arraysOf({ length: 16_384, scale: 1 });
  for (const array of Object.values(arrays)) array.fill(Number.NaN);
  stepValues(arrays, factors);
  assert.ok(Number.isNaN(arrays.data[0]));
  requireStep(arraysOf({ length: 5, scale: 1e-4 }));
});

function requireNear(found: number, wanted: number, size: number): void {
  assert.ok(Math.abs(found - wanted) <= 3e-7 * size, `${found}, expected ${wanted}`);
}
