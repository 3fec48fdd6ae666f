import assert from "node:assert/strict";
import { test } from "node:test";
import { showText, showValue } from "./show.ts";

test("plain values are JSON", () => {
  const values = [undefined, null, 3, -0.5, true, 'a "b"', [1, 2], { a: 1, b: "x" }, 7n, []];
  assert.deepEqual(values.map(showValue), [
    "undefined",
    "null",
    "3",
    "-0.5",
    "true",
    '"a "b""',
    "[1,2]",
    '{"a":1,"b":"x"}',
    "7",
    "[]",
  ]);
});

test("what is long, deep or circular is cut", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  assert.equal(showValue(circle), "[…]");
  let deep: unknown = 1;
  for (let i = 0; i < 200_000; i++) deep = [deep];
  assert.equal(showValue(deep), "[…]");
  assert.equal(showValue({ a: { b: 1 } }), '{"a":…}');
  assert.ok(showValue("x".repeat(1e6)).length <= 80);
  assert.ok(showValue(Array.from({ length: 1e6 }, () => "y".repeat(50))).length <= 80);
  assert.equal(showValue([1, 2, 3, 4, 5, 6, 7, 8, 9]), "[1,2,3,4,5,6,7,8,…]");
});

test("a text cannot move the cursor", () => {
  assert.equal(showText("a\u001b[2Jb\n\u202ec"), "a\\u001b[2Jb\\u000a\\u202ec");
  assert.equal(showValue(["\u0007"]), '["\\u0007"]');
  assert.equal(showText("y".repeat(100)).length, 80);
});
