// Options from a file and under the names that others have for them: the same values, the same words for a mistake.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UsageError } from "../base/errors.ts";
import type { Command } from "./command.ts";
import { command as train } from "./commands/train.ts";
import { type Parsed, parseCommand } from "./parse.ts";

const folder = mkdtempSync(join(tmpdir(), "codefudge-config-"));
after(() => rmSync(folder, { recursive: true }));

const command = train as unknown as Command;

function parse(...tokens: string[]): Extract<Parsed, { kind: "run" }> {
  const parsed = parseCommand(command, tokens, folder);
  assert.ok(parsed.kind === "run");
  return parsed;
}

function withFile(content: unknown, ...tokens: string[]) {
  writeFileSync(join(folder, "c.json"), typeof content === "string" ? content : JSON.stringify(content));
  return parse("--config", "c.json", ...tokens);
}

test("a file gives what flags give, and a flag goes before it", () => {
  const { options, warnings } = withFile(
    {
      max_steps: 7,
      "learning-rate": "3e-4",
      time: "20m",
      load_best_model_at_end: false,
      target_modules: ["q_proj"],
      seed: null,
    },
    "--max-steps",
    "9",
  );
  const { max_steps, learning_rate, time, load_best_model_at_end, target_modules, seed } = options;
  assert.deepEqual(
    [max_steps, learning_rate, time, load_best_model_at_end, target_modules, seed],
    [9, 3e-4, 1200, false, ["q_proj"], 42],
  );
  assert.deepEqual(warnings, []);
});

test("a mistake in a file is a sentence", () => {
  const refuses = (content: unknown, says: RegExp) =>
    assert.throws(
      () => withFile(content),
      (error) => error instanceof UsageError && says.test(error.message),
    );
  refuses({ max_step: 3 }, /^Expected options in .*c\.json, found "max_step": did you mean max_steps\?$/);
  refuses({ max_steps: "many" }, /^Expected a whole number for --max_steps, found "many"$/);
  refuses({ max_steps: [3] }, /^Expected a text or a number for max_steps, found \[3\]$/);
  refuses({ restart: "yes" }, /^Expected true or false for restart, found "yes"$/);
  refuses([1], /^Expected an object of options/);
  assert.throws(() => withFile("{"), /Expected JSON in .*c\.json/);
  assert.throws(() => parse("--config", "none.json"), /Expected a readable file at .*none\.json/);
});

test("names of other trainers and of 2022 are ours, with a line that says so", () => {
  const { options, warnings } = parse(
    ...["--warmup_ratio", "0.1", "--lora-r=4", "--evaluation_strategy", "no", "--load_adapter", "old"],
    ...["--optim", "adamw_torch_fused", "--method", "lora"],
  );
  const { warmup_steps, r, eval_strategy, continue_from, optim, method } = options;
  assert.deepEqual(
    [warmup_steps, r, eval_strategy, continue_from, optim, method],
    [0.1, 4, "no", "old", "adamw_torch", "adapter"],
  );
  assert.deepEqual(warnings, [
    "--warmup_ratio is --warmup_steps here",
    "--lora_r is --r here",
    "--evaluation_strategy is --eval_strategy here",
    "--load_adapter is --continue_from here",
  ]);
});

test("what has nothing to switch here is passed over, its value with it", () => {
  const { options, args, warnings } = parse(
    "--no_cuda",
    "--logging_steps",
    "10",
    "--save_strategy=epoch",
    "data",
  );
  assert.equal(args.dataset, "data");
  assert.equal(options.save_steps, 50);
  assert.deepEqual(warnings, [
    "--no_cuda is passed over: everything runs on the processor",
    "--logging_steps is passed over: every step is told",
    "--save_strategy is passed over: --save_steps says when",
  ]);
  const inFile = withFile({ fp16: true, warmup_ratio: 0.2 });
  assert.equal(inFile.options.warmup_steps, 0.2);
  assert.equal(inFile.warnings.length, 2);
});

test("an unknown name is still a mistake", () => {
  assert.throws(() => parse("--push_to_hub"), /found --push_to_hub/);
});
