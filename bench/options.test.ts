// What stands on a bench's command line, without running one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../src/base/errors.ts";
import { readArguments } from "./options.ts";

const options = { steps: { type: "integer", default: 3, help: "Measured steps" } } as const;

test("options of all benches and of this one, and what stands beside them", () => {
  const tokens = ["a", "--steps=5", "--json", "b", "--venv", "c"];
  const { values, places } = readArguments({ options, takes: "[PLACE…]" }, tokens);
  assert.deepEqual(values, { steps: 5, runs: null, venv: "c", json: true });
  assert.deepEqual(places, ["a", "b"]);
});

test("mistakes name the option and what it takes", () => {
  const mistakes: [string[], RegExp][] = [
    [["--step", "1"], /found --step; did you mean --steps\?$/],
    [["--runs"], /a value for --runs, found none$/],
    [["--steps", "x"], /a whole number for --steps, found "x"$/],
    [["here"], /options only, found "here"$/],
  ];
  for (const [tokens, message] of mistakes) {
    assert.throws(
      () => readArguments({ options, takes: null }, tokens),
      (error) => error instanceof UsageError && message.test(error.message),
      tokens.join(" "),
    );
  }
});
