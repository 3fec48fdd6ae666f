// Schedules against transformers' numbers (test/golden/optim); behind the end ours stay at 0 where transformers'
// cosine rises again.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type ScheduleName, scheduleFactor, scheduleNames } from "./schedule.ts";

const path = new URL("../../test/golden/optim/schedules.json", import.meta.url);
type Golden = { name: ScheduleName; warmupSteps: number; steps: number; values: number[] };
const golden: Golden[] = JSON.parse(readFileSync(path, "utf8"));

test("every schedule has golden numbers", () => {
  assert.deepEqual(new Set(golden.map(({ name }) => name)), new Set(scheduleNames));
});

for (const { name, warmupSteps, steps, values } of golden) {
  test(`${name}, ${warmupSteps} of ${steps} steps to warm up`, () => {
    const schedule = { name, warmup_steps: warmupSteps, max_steps: steps };
    for (let step = 0; step <= steps; step++) {
      const found = scheduleFactor(schedule, step);
      assert.ok(Math.abs(found - values[step]!) < 1e-12, `step ${step}: ${found}, expected ${values[step]}`);
    }
  });
}

test("between whole steps a factor lies between theirs", () => {
  const schedule = { name: "linear", warmup_steps: 2, max_steps: 10 } as const;
  assert.equal(scheduleFactor(schedule, 0.5), 0.25);
  assert.equal(scheduleFactor(schedule, 6), 0.5);
  assert.equal(scheduleFactor(schedule, 12), 0);
});
