import assert from "node:assert/strict";
import { test } from "node:test";
import { bestOf, isOutOfPatience } from "./progress.ts";

const evaluations = (...losses: number[]) => losses.map((loss, step) => ({ step, loss }));

test("the best is the lowest, the earliest of equals, and not that before the first step", () => {
  assert.equal(bestOf([]), null);
  assert.equal(bestOf(evaluations(1)), null);
  assert.equal(bestOf(evaluations(1, 3, 2, 2))!.step, 2);
});

test("patience counts validations since the best, and 0 never ends", () => {
  const bad = evaluations(9, 2, 3, 4, 5);
  assert.deepEqual(
    [1, 3, 4, 0].map((patience) => isOutOfPatience(bad, patience)),
    [true, true, false, false],
  );
  assert.equal(isOutOfPatience([...bad, { step: 5, loss: 1 }], 1), false);
  assert.equal(isOutOfPatience([], 1), false);
});
