import assert from "node:assert/strict";
import { test } from "node:test";
import { dropoutRate, fillMask, mix } from "./dropout.ts";

function maskOf(rate: number, place: readonly number[], length = 100_001): Float32Array {
  const mask = new Float32Array(length).fill(Number.NaN);
  fillMask(mask, rate, place);
  return mask;
}

test("a share of the places is 0, the others are larger by what is missing, the mean stays", () => {
  for (const rate of [0.01, 0.1, 0.5]) {
    const mask = maskOf(rate, [1, 2, 3]);
    const zeros = mask.filter((value) => value === 0).length / mask.length;
    assert.ok(Math.abs(zeros - rate) < 0.006, `${zeros} of ${rate}`);
    const kept = Math.fround(1 / (1 - Math.round(rate * 65536) / 65536));
    assert.ok(mask.every((value) => value === 0 || value === kept));
    const mean = mask.reduce((sum, value) => sum + value, 0) / mask.length;
    assert.ok(Math.abs(mean - 1) < 0.012, String(mean));
  }
});

test("the same place gives the same mask, any other another", () => {
  const mask = maskOf(0.5, [7, 3, 1], 64);
  assert.deepEqual(maskOf(0.5, [7, 3, 1], 64), mask);
  for (const place of [
    [8, 3, 1],
    [7, 4, 1],
    [7, 3, 2],
    [3, 7, 1],
  ])
    assert.notDeepEqual(maskOf(0.5, place, 64), mask);
});

test("places are spread: many of them give as many numbers", () => {
  const numbers = new Set<number>();
  for (let a = 0; a < 100; a++) for (let b = 0; b < 100; b++) numbers.add([42, a, b].reduce(mix, 0));
  assert.ok(numbers.size > 9995, String(numbers.size));
});

test("no adapter has no dropout", () => {
  assert.equal(dropoutRate(null), 0);
});
