// Validation plans over runs of many sizes: what they promise of time and number, and that nothing in them depends on
// anything but lengths, options and seed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultsOf } from "../base/options.ts";
import { bucketOf, type Sequence } from "./batch.ts";
import { type Resolved, resolveOptions, trainOptions } from "./options.ts";
import { countByClock, intervalByClock, planValidation, SHARE } from "./validation.ts";

const sequence = (length: number): Sequence => ({ ids: new Int32Array(length), promptLength: length - 5 });
const many = (count: number, length: number) => Array.from({ length: count }, () => sequence(length));
const optionsOf = (given: Partial<Resolved> = {}): Resolved => ({
  ...resolveOptions(defaultsOf(trainOptions), "adapter"),
  ...given,
});

/** Share of a run's work that its validations are, a training step counted as three times forward. */
function shareOf(total: number, { length, held }: { length: number; held: readonly Sequence[] }): number {
  const options = optionsOf();
  const plan = planValidation({ options, sequences: many(50, length), validation: held }, total);
  const each = plan.sequences.reduce((sum, { ids }) => sum + bucketOf(ids.length), 0);
  return ((total / plan.every!) * each) / (total * 4 * bucketOf(length) * 3);
}

test("validations take a twentieth of a run at most, unless it is very short", () => {
  for (const total of [200, 750, 5000, 50_000]) {
    for (const length of [90, 300, 900]) {
      for (const held of [many(5, 300), many(40, 300), many(900, 700)]) {
        const share = shareOf(total, { length, held });
        assert.ok(share <= SHARE * 1.25, `${total} steps of ${length}: ${share}`);
      }
    }
  }
});

test("a long run has 20 validations on 64 examples, a short one fewer of both", () => {
  const held = many(500, 300);
  const plan = (total: number) =>
    planValidation({ options: optionsOf(), sequences: many(50, 300), validation: held }, total);
  assert.deepEqual([plan(50_000).every, plan(50_000).sequences.length], [2500, 64]);
  const short = plan(100);
  assert.ok(100 / short.every! >= 2 && short.sequences.length >= 4);
});

test("the choice follows from the seed, not from the clock", () => {
  const held = Array.from({ length: 100 }, (_, i) => sequence(20 + i));
  const parts = { options: optionsOf(), sequences: many(50, 300), validation: held };
  assert.deepEqual(planValidation(parts, 300), planValidation(parts, 300));
  const other = planValidation({ ...parts, options: optionsOf({ seed: 7 }) }, 300);
  assert.notDeepEqual(other.sequences, planValidation(parts, 300).sequences);
});

test("what was asked for is done: steps, passes, number of examples, none at all", () => {
  const parts = { sequences: many(50, 300), validation: many(100, 300) };
  const plan = (given: Partial<Resolved>, total: number | null = 400) =>
    planValidation({ ...parts, options: optionsOf(given) }, total);
  assert.equal(plan({ eval_steps: 7 }).every, 7);
  assert.equal(plan({ eval_strategy: "epoch" }).every, 13);
  assert.equal(plan({ max_eval_samples: 9 }).sequences.length, 9);
  assert.deepEqual(plan({ eval_strategy: "no" }), { sequences: [], every: null });
  assert.equal(plan({}, null).every, null);
  assert.equal(plan({ eval_steps: 7 }, null).every, 7);
  const empty = planValidation({ ...parts, validation: [], options: optionsOf() }, 400);
  assert.deepEqual(empty.sequences, []);
});

test("by the clock: at most a twentieth of the time, and 20 times at most", () => {
  for (const time of [30, 600, 7200]) {
    for (const seconds of [0.01, 0.2, 3]) {
      const cost = countByClock(time, seconds) * seconds;
      const interval = intervalByClock(time, cost);
      assert.ok(cost / interval <= SHARE + 1e-9);
      assert.ok(time / interval <= 20);
    }
  }
});
