// The kernel against its formula written out, for lengths around its pieces and its vectors.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { type AdamwArrays, stepValues } from "./adamw-kernel.ts";

const factors = {
  ...{ keep: 0.999, beta1: 0.9, beta2: 0.98, ofFirst: 0.05, ofSecond: 0.01 },
  ...{ numerator: 0.003, least: 1e-6 },
};

for (const length of [1, 3, 4, 5, 16_383, 16_384, 16_385, 40_001]) {
  test(`a step over ${length} values`, () => {
    const random = createRandom(length);
    const made = (least: number) => Float32Array.from({ length }, () => least + random.uniform());
    const arrays: AdamwArrays = {
      data: made(-0.5),
      gradient: made(-0.5),
      first: made(-0.5),
      second: made(0),
    };
    const before = structuredClone(arrays);
    stepValues(arrays, factors);
    assert.deepEqual(arrays.gradient, before.gradient);
    for (let i = 0; i < length; i++) {
      const g = before.gradient[i]!;
      const m = factors.beta1 * before.first[i]! + factors.ofFirst * g;
      const v = factors.beta2 * before.second[i]! + factors.ofSecond * g * g;
      const value = before.data[i]! * factors.keep - (factors.numerator * m) / (Math.sqrt(v) + factors.least);
      requireNear(arrays.first[i]!, m);
      requireNear(arrays.second[i]!, v);
      requireNear(arrays.data[i]!, value);
    }
  });
}

function requireNear(found: number, wanted: number): void {
  assert.ok(Math.abs(found - wanted) <= 3e-7 * Math.max(1, Math.abs(wanted)), `${found}, expected ${wanted}`);
}
