import assert from "node:assert/strict";
import { test } from "node:test";
import { describeCurve, drawCurve } from "./curve.ts";

test("the lowest block is the lowest value, the highest the highest", () => {
  assert.equal(drawCurve([8, 7, 6, 5, 4, 3, 2, 1]), "█▇▆▅▄▃▂▁");
  assert.equal(drawCurve([3, 3, 3]), "▁▁▁");
  assert.equal(drawCurve([]), "");
});

test("more values than blocks become means", () => {
  assert.equal(drawCurve([0, 0, 2, 2, 4, 4, 6, 6], 4), "▁▃▆█");
  assert.equal(drawCurve(Array.from({ length: 1000 }, (_, i) => i)).length, 40);
});

test("the first and the last in digits", () => {
  assert.equal(describeCurve([2.31, 0.8116]), "2.310 █▁ 0.812");
  assert.equal(describeCurve([]), "");
});
