// f32 to f16 against all f16 there are: each comes back, and between two neighbours the nearer one is taken.

import assert from "node:assert/strict";
import { test } from "node:test";
import { halfError, halfValues, toHalf } from "./half.ts";

const values = halfValues();

test("every f16 comes back from f32 with the same bits", () => {
  const finite = Array.from({ length: 65536 }, (_, half) => half).filter(
    (half) => (half & 0x7c00) !== 0x7c00,
  );
  const found = toHalf(Float32Array.from(finite, (half) => values[half]!));
  assert.deepEqual([...found], finite);
});

test("between two neighbours the nearer one is taken, in the middle the even one", () => {
  for (let half = 0; half < 0x7bff; half++) {
    const [low, high] = [values[half]!, values[half + 1]!];
    const middle = (low + high) / 2;
    const quarter = (high - low) / 4;
    const even = half % 2 === 0 ? half : half + 1;
    const asked = Float32Array.of(middle - quarter, middle, middle + quarter, -middle);
    assert.deepEqual([...toHalf(asked)], [half, even, half + 1, even | 0x8000]);
  }
});

test("what is too large becomes the largest, what is no number stays none", () => {
  const found = toHalf(Float32Array.of(65519, 65520, 1e30, -Infinity, Number.NaN));
  assert.deepEqual([...found.subarray(0, 4)], [0x7bff, 0x7bff, 0x7bff, 0xfbff]);
  assert.ok(Number.isNaN(values[found[4]!]));
});

test("the error of f16 is small where numbers are ordinary, and is told where they are too large or too small", () => {
  const error = (values: readonly number[]) => {
    const array = Float32Array.from(values);
    return halfError(array, toHalf(array));
  };
  assert.equal(error([0, 0]), 0);
  assert.equal(error([1, -0.5, 2 ** -14]), 0);
  const third = error([1 / 3, 2 / 3, -1e-3]);
  assert.ok(third > 0 && third < 2 ** -11, `${third}`);
  assert.ok(Math.abs(error([131_008]) - 0.5) < 1e-6);
  assert.equal(error([1e-9, 1e-9]), 1);
  assert.ok(Number.isNaN(error([1, Number.NaN])));
});
