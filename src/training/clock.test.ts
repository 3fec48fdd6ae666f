// What a run by the clock concludes from how long its parts took.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clock, isOver, isTimeToValidate, shareByClock, startClock } from "./clock.ts";

/** A clock that stands: `seconds` are over, and the parts took what is given. */
function standing(seconds: number, parts: { step?: number; validate?: number; save?: number } = {}): Clock {
  return { ...startClock(0, performance.now()), seconds: () => seconds, last: (name) => parts[name] ?? 0 };
}

test("a run ends half a step before its time, and early enough for what comes at the end", () => {
  assert.equal(isOver(standing(94), 100), false);
  assert.equal(isOver(standing(94, { step: 12 }), 100), true);
  assert.equal(isOver(standing(94, { validate: 5, save: 1 }), 100), true);
  assert.equal(isOver(standing(93, { validate: 5, save: 1 }), 100), false);
});

test("the schedule is at its end when the last step begins, not after the last validation", () => {
  assert.equal(shareByClock(standing(50), 100), 0.5);
  assert.equal(shareByClock(standing(90, { validate: 8, save: 2 }), 100), 1);
  assert.ok(shareByClock(standing(10, { validate: 1000 }), 100) <= 0.2, "a validation longer than the run");
});

test("the schedule begins with the first step, however long it took to get there", () => {
  assert.equal(shareByClock(standing(40), 100, 40), 0);
  assert.equal(shareByClock(standing(70), 100, 40), 0.5);
  assert.equal(shareByClock(standing(90, { validate: 8, save: 2 }), 100, 40), 1);
  assert.equal(shareByClock(standing(120), 100, 110), 1, "begun when the time was over");
});

test("no validation that only a moment parts from the one at the end", () => {
  const parts = { step: 10, validate: 20, save: 1 };
  assert.equal(isTimeToValidate(standing(48, parts), 100), true);
  assert.equal(isTimeToValidate(standing(50, parts), 100), false);
});

test("how long parts took is handed on to the next start", () => {
  const clock = startClock(0, performance.now(), { step: 7, save: 2 });
  assert.deepEqual(clock.lasted(), { step: 7, validate: 0, save: 2 });
  clock.time("save", () => {});
  assert.ok(clock.last("save") < 1);
  assert.equal(clock.lasted().step, 7);
});

test("seconds go on from those of earlier starts; a part's time is the mean of its last", () => {
  const clock = startClock(1000, performance.now() - 5000);
  assert.ok(clock.seconds() >= 1005 && clock.seconds() < 1006);
  assert.equal(clock.last("step"), 0);
  for (let i = 0; i < 12; i++) clock.time("step", () => {});
  assert.ok(clock.last("step") >= 0 && clock.last("step") < 0.5);
  assert.throws(() => clock.time("save", () => assert.fail("no")), /no/);
});
