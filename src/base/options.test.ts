// What flags' texts stand for, what is refused and how, and the suggestion for a slip of the hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./errors.ts";
import { defaultsOf, nearestName, type Option, type OptionTable, parseValue } from "./options.ts";

function option(type: Option["type"], choices?: readonly string[]): Option {
  return { type, default: null, help: "", ...(choices && { choices }) };
}

function accepts(type: Option["type"], cases: Readonly<Record<string, number | string>>): void {
  for (const [text, value] of Object.entries(cases))
    assert.equal(parseValue("x", option(type), text), value, text);
}

function refuses(type: Option["type"], texts: readonly string[], wanted: RegExp): void {
  for (const text of texts) {
    assert.throws(
      () => parseValue("x", option(type), text),
      (error: unknown) =>
        error instanceof UsageError &&
        wanted.test(error.message) &&
        error.message.includes(`--x, found "${text}"`),
      text,
    );
  }
}

test("numbers", () => {
  accepts("number", { "3e-4": 3e-4, "-1.5": -1.5, "0": 0 });
  refuses("number", ["", " ", "fast", "1,5", "Infinity", "NaN", "1x"], /a number such as 3e-4/);
});

test("whole numbers", () => {
  accepts("integer", { "12": 12, "-3": -3, "1e3": 1000 });
  refuses("integer", ["1.5", "", "ten"], /a whole number/);
});

test("a number below the least is refused, with the least", () => {
  const limited = (type: Option["type"]): Option => ({ type, default: null, help: "", least: 1 });
  assert.equal(parseValue("r", limited("integer"), "1"), 1);
  const cases = [
    [limited("integer"), "0", "a whole number of at least 1"],
    [limited("number"), "0.5", "a number of at least 1"],
    [limited("duration"), "0s", "a duration of at least 1"],
    [limited("bytes"), "0MB", "a size of at least 1"],
  ] as const;
  for (const [limitedOption, text, wanted] of cases) {
    assert.throws(
      () => parseValue("r", limitedOption, text),
      new UsageError(`Expected ${wanted} for --r, found "${text}"`),
    );
  }
});

test("durations are seconds", () => {
  accepts("duration", { "90s": 90, "20m": 1200, "1.5h": 5400, "2d": 172800, "45": 45, "10 M": 600 });
  refuses("duration", ["20min", "m", "", "-5s", "1h30m", "2GB"], /a duration such as 90s, 20m or 1h/);
});

test("sizes are bytes, in powers of 1000 or 1024 as their unit says", () => {
  accepts("bytes", {
    "800MB": 8e8,
    "2GB": 2e9,
    "1.5gib": 1.5 * 1024 ** 3,
    "4 KiB": 4096,
    "1000": 1000,
    "1kb": 1000,
  });
  refuses("bytes", ["2TB", "GB", "", "-1GB", "2G", "20m"], /a size such as 800MB or 2GB/);
});

test("a unit is looked up among the units only", () => {
  refuses("bytes", ["5constructor"], /a size/);
  refuses("duration", ["5constructor"], /a duration/);
});

test("texts pass as they are, unless choices are given", () => {
  accepts("string", { " a b ": " a b ", "": "" });
  const choices = option("string", ["region", "diff"]);
  assert.equal(parseValue("format", choices, "diff"), "diff");
  assert.throws(
    () => parseValue("format", choices, "Diff"),
    new UsageError('Expected one of region, diff for --format, found "Diff"'),
  );
});

test("defaults come from the table, typed", () => {
  const table = {
    r: { type: "integer", default: 8, help: "" },
    model: { type: "string", default: null, help: "" },
    json: { type: "boolean", default: false, help: "" },
  } as const satisfies OptionTable;
  const values = defaultsOf(table);
  const r: number = values.r;
  const model: string | null = values.model;
  assert.deepEqual({ r, model, json: values.json }, { r: 8, model: null, json: false });
});

test("suggests the nearest name", () => {
  const names = ["learning_rate", "lora_alpha", "max_steps", "model", "memory", "r"];
  assert.equal(nearestName("lerning_rate", names), "learning_rate");
  assert.equal(nearestName("max-steps", names), "max_steps");
  assert.equal(
    nearestName("modle", ["memory", "mode", "model"]),
    "mode",
    "one letter fewer is nearer than two moved",
  );
  assert.equal(nearestName("memroy", names), "memory");
});

test("suggests nothing when nothing is near", () => {
  assert.equal(nearestName("verbose", ["learning_rate", "model", "r"]), undefined);
  assert.equal(nearestName("abc", ["xyz"]), undefined);
  assert.equal(nearestName("model", []), undefined);
});
