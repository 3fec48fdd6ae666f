// Reading single keys of a config.json: numbers, defaults, settings that are refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../base/errors.ts";
import { integerOf, numberOf, refuse } from "./config.ts";

test("a number, its default, and null as if it were missing", () => {
  assert.equal(numberOf({ eps: 0.5 }, "eps"), 0.5);
  assert.equal(numberOf({}, "eps", 0.25), 0.25);
  assert.equal(numberOf({ eps: null }, "eps", 0.25), 0.25);
});

test("what is no positive number is refused by key and value, even where there is a default", () => {
  for (const value of ["8", 0, -1, Number.NaN, true, {}]) {
    assert.throws(() => numberOf({ hidden_size: value }, "hidden_size", 64), UserError);
  }
  assert.throws(() => numberOf({ hidden_size: "8" }, "hidden_size"), {
    message: `Expected a positive number for hidden_size in the model's config, found "8"`,
  });
  assert.throws(() => numberOf({}, "hidden_size"), /found undefined$/);
});

test("whole numbers", () => {
  assert.equal(integerOf({ n: 3 }, "n"), 3);
  assert.throws(() => integerOf({ n: 2.5 }, "n"), /Expected a whole number for n .*found 2.5/);
  assert.throws(() => integerOf({}, "n", 10 / 3), /whole number/);
  for (const key of ["num_hidden_layers", "num_layers", "num_decoder_layers"]) {
    assert.throws(() => integerOf({ [key]: 2 ** 26 }, key), /at most 1000 for num_/, key);
  }
});

test("a setting outside what is supported is refused; a missing one is not", () => {
  refuse({}, "hidden_act", ["silu"]);
  refuse({ hidden_act: "silu" }, "hidden_act", ["silu"]);
  assert.throws(() => refuse({ hidden_act: "gelu" }, "hidden_act", ["silu", "swish"]), {
    message: `Expected hidden_act to be "silu" or "swish", which is what is supported, found "gelu"`,
  });
  assert.throws(() => refuse({ bias: null }, "bias", [false]), /found null/);
});
