// Choosing an architecture by model_type.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../base/errors.ts";
import { architectures, createModel } from "./table.ts";

const refusal = (model_type: unknown): string => {
  try {
    createModel({ model_type });
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error.message;
  }
  return assert.fail("a model of a type that is not in the table");
};

test("an unknown model_type is named beside the known ones, the nearest suggested", () => {
  assert.equal(
    refusal("lama"),
    `Expected a model of type ${Object.keys(architectures).join(", ")}, found model_type "lama"; the nearest is llama; choose another base with --model`,
  );
  assert.match(
    refusal("t5"),
    /^Expected a model of type llama.*, found model_type "t5"; choose another base/,
  );
  assert.match(refusal("qwen3_moe"), /the nearest is qwen3;/);
  assert.match(refusal("mistral"), /the nearest is llama;/);
  assert.match(refusal("qwen"), /the nearest is qwen2;/);
  assert.match(refusal(undefined), /found model_type undefined; choose/);
});

test("words that every object has are no architectures", () => {
  for (const word of ["constructor", "toString", "__proto__"])
    assert.match(refusal(word), /Expected a model/);
});
