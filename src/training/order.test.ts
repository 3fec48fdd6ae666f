import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultsOf } from "../base/options.ts";
import { epochsOf, type Resolved, resolveOptions, trainOptions } from "./options.ts";
import { seenBy, totalSteps, windowAt } from "./order.ts";

const optionsOf = (given: Partial<Resolved>): Resolved => ({
  ...resolveOptions(defaultsOf(trainOptions), "adapter"),
  per_device_train_batch_size: 1,
  gradient_accumulation_steps: 4,
  ...given,
});

test("a pass sees every sequence once, each pass in another order, another seed in others", () => {
  const seen = (seed: number) =>
    Array.from({ length: 10 }, (_, step) => windowAt(optionsOf({ seed }), 20, step)).flat();
  const [first, second] = [seen(1).slice(0, 20), seen(1).slice(20)];
  for (const pass of [first, second])
    assert.deepEqual(
      [...pass].sort((a, b) => a - b),
      [...Array(20).keys()],
    );
  assert.notDeepEqual(first, second);
  assert.notDeepEqual(seen(2), seen(1));
  assert.deepEqual(seen(1), [...first, ...second]);
});

test("a window that reaches over the end of a pass takes the rest from the next", () => {
  const windows = Array.from({ length: 3 }, (_, step) => windowAt(optionsOf({}), 6, step)).flat();
  assert.deepEqual([...windows.slice(0, 6)].sort(), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([...windows.slice(6)].sort(), [0, 1, 2, 3, 4, 5]);
});

test("what the first steps see: their windows, and all after a pass", () => {
  const [first, second] = [windowAt(optionsOf({}), 6, 0), windowAt(optionsOf({}), 6, 1)];
  assert.deepEqual(seenBy(optionsOf({}), 6, 0), new Set());
  assert.deepEqual(seenBy(optionsOf({}), 6, 1), new Set(first));
  assert.deepEqual(seenBy(optionsOf({}), 6, 1000), new Set([...first, ...second]));
  assert.equal(seenBy(optionsOf({}), 6, 2).size, 6);
});

test("steps: those asked for, or the passes' last window whole, or none by the clock", () => {
  assert.equal(totalSteps(optionsOf({ max_steps: 7, time: 60 }), 100), 7);
  assert.equal(totalSteps(optionsOf({ time: 60 }), 100), null);
  assert.equal(totalSteps(optionsOf({ num_train_epochs: 3 }), 10), 8);
  assert.equal(totalSteps(optionsOf({ num_train_epochs: 0.01 }), 10), 1);
});

test("the fewer examples, the more passes, and never fewer steps for more examples of one row", () => {
  for (const kind of ["adapter", "all"] as const) {
    const counts = [1, 199, 200, 999, 1000, 4999, 5000, 14_999, 15_000, 1e6];
    const passes = counts.map((count) => epochsOf(kind, count));
    assert.deepEqual(
      passes,
      [...passes].sort((a, b) => b - a),
    );
  }
  assert.deepEqual(
    [100, 500, 3000, 9000, 20_000].map((n) => epochsOf("adapter", n)),
    [8, 5, 3, 2, 1],
  );
});
