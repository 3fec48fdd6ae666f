// Rows on eight bits: each value within half of its row's own step, rows of zeros stay zeros.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import { asCodes, fromCodes } from "./codes.ts";
import { input } from "./tensor.ts";

test("what codes stand for is within half a step of its row, whose largest magnitude is 127", async () => {
  const rows = [
    [1, -0.5, 0.3, 0.003],
    [0, 0, 0, 0],
    [-300, 5, 1, 299],
  ];
  const { codes, step } = asCodes(input("x", "float32", [3, 4]));
  assert.equal(codes.dtype, "int8");
  const found = await evaluate({ y: fromCodes({ codes, step }), step }, { x: rows.flat() });
  const [values, steps] = [numbersOf(found, "y"), numbersOf(found, "step")];
  for (const [i, row] of rows.entries()) {
    const most = Math.max(...row.map(Math.abs));
    assert.ok(Math.abs(steps[i]! - most / 127) <= 1e-6 * most + 1e-29);
    for (const [k, value] of row.entries()) {
      assert.ok(Math.abs(values[4 * i + k]! - value) <= 0.501 * (most / 127), `row ${i}: ${value}`);
    }
  }
});
