// The generator against numbers computed apart from it, its moments, and what a checkpoint relies on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom, type Random } from "./random.ts";

function take(random: Random, count: number, draw: (random: Random) => number): number[] {
  return Array.from({ length: count }, () => draw(random));
}

test("is xoshiro128** from a state", () => {
  assert.deepEqual(
    take(createRandom([1, 2, 3, 4]), 6, (random) => random.uint32()),
    [11520, 0, 5927040, 70819200, 2031721883, 1637235492],
  );
});

test("fills the state from a seed by splitmix32", () => {
  const random = createRandom(42);
  assert.deepEqual(random.state(), [551831576, 144025891, 322543647, 3034809370]);
  assert.deepEqual(
    take(random, 3, () => random.uint32()),
    [660444221, 3652823732, 77672526],
  );
});

test("the same seed gives the same numbers, another seed others", () => {
  const draws = (seed: number) => take(createRandom(seed), 20, (random) => random.uniform());
  assert.deepEqual(draws(7), draws(7));
  assert.notDeepEqual(draws(7), draws(8));
});

test("goes on from a saved state as if it had never stopped, whatever is drawn", () => {
  const original = createRandom(3);
  take(original, 11, (random) => random.normal());
  const resumed = createRandom(JSON.parse(JSON.stringify(original.state())));
  const draw = (random: Random) => [
    ...take(random, 5, () => random.normal()),
    random.below(1000),
    random.uniform(),
    ...random.shuffle([1, 2, 3, 4, 5, 6]),
  ];
  assert.deepEqual(draw(resumed), draw(original));
  assert.deepEqual(resumed.state(), original.state());
});

test("a state once read does not change with later draws", () => {
  const random = createRandom(3);
  const before = random.state();
  const copy = [...before];
  random.uint32();
  assert.deepEqual(before, copy);
});

test("uniform numbers lie in [0, 1) with the moments of the uniform law", () => {
  const values = take(createRandom(1), 100_000, (random) => random.uniform());
  assert.ok(values.every((value) => value >= 0 && value < 1));
  // Four standard errors: of the mean sqrt(1/12/n), of the second moment sqrt(4/45/n).
  assert.ok(Math.abs(moment(values, 1) - 1 / 2) < 4 * Math.sqrt(1 / 12 / 1e5));
  assert.ok(Math.abs(moment(values, 2) - 1 / 3) < 4 * Math.sqrt(4 / 45 / 1e5));
});

test("normal numbers have the moments of the standard normal law", () => {
  const values = take(createRandom(2), 100_000, (random) => random.normal());
  assert.ok(values.every(Number.isFinite));
  assert.ok(Math.abs(moment(values, 1)) < 4 * Math.sqrt(1 / 1e5));
  assert.ok(Math.abs(moment(values, 2) - 1) < 4 * Math.sqrt(2 / 1e5));
  assert.ok(Math.abs(moment(values, 4) - 3) < 4 * Math.sqrt(96 / 1e5));
});

function moment(values: readonly number[], power: number): number {
  return values.reduce((sum, value) => sum + value ** power, 0) / values.length;
}

test("below gives every whole number under its limit about equally often", () => {
  const counts = [0, 0, 0, 0, 0, 0, 0];
  for (const value of take(createRandom(4), 70_000, (random) => random.below(7))) counts[value]! += 1;
  assert.equal(counts.length, 7);
  for (const count of counts)
    assert.ok(Math.abs(count - 10_000) < 4 * Math.sqrt(10_000 * (6 / 7)), `${count}`);
});

test("shuffle gives a permutation and leaves its argument alone", () => {
  const items = Object.freeze(Array.from({ length: 100 }, (_, i) => i));
  const shuffled = createRandom(5).shuffle(items);
  assert.notDeepEqual(shuffled, items);
  assert.deepEqual(
    shuffled.sort((a, b) => a - b),
    items,
  );
  assert.deepEqual(createRandom(5).shuffle([]), []);
});

test("every order of three things comes about equally often", () => {
  const random = createRandom(6);
  const counts = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = random.shuffle(["a", "b", "c"]).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 4 * Math.sqrt(1000 * (5 / 6)));
});
