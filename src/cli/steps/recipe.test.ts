import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../../base/errors.ts";
import { command as cook } from "../commands/cook.ts";
import { command as train } from "../commands/train.ts";
import { renderHelp } from "../help.ts";
import { parseCommand } from "../parse.ts";
import { runOptions } from "./options.ts";
import { recipes, recipeValues, requireBaseOf } from "./recipe.ts";

const folder = mkdtempSync(join(tmpdir(), "codefudge-recipe-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function optionsOf(...tokens: string[]): Record<string, unknown> {
  const parsed = parseCommand(train, ["--recipe", "2022", ...tokens], folder);
  assert.equal(parsed.kind, "run");
  return { ...(parsed as { options: object }).options };
}

/** Some of what the options are. */
function pick(options: Record<string, unknown>, ...names: string[]): unknown[] {
  return names.map((name) => options[name]);
}

test("every value of a recipe is an option that training has", () => {
  for (const { always, beginning, sizes } of Object.values(recipes)) {
    for (const values of [always, beginning, ...sizes.flatMap((size) => [size.always, size.beginning])]) {
      for (const name of Object.keys(values)) assert.ok(Object.hasOwn(runOptions, name), name);
    }
    const order = sizes.map(({ memory }) => memory);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
  }
});

test("2022 by one word: adapter, optimizer, schedule, form, tokenizer, and rates times accumulation and batch", () => {
  const options = optionsOf("--memory", "16GB");
  assert.deepEqual(pick(options, "adapter", "optim", "lr_scheduler_type", "format", "extend_tokenizer"), [
    ...["pfeiffer+inv", "adafactor", "cosine", "diff"],
    0,
  ]);
  assert.deepEqual(pick(options, "gradient_accumulation_steps", "num_train_epochs", "max_files"), [3, 3, 1]);
  assert.ok((options.warmup_steps as number) > 0);
  assert.equal(options.learning_rate, 1e-4 * 3);
  const larger = optionsOf("--gradient_accumulation_steps", "2", "--batch_size", "4");
  assert.equal(larger.learning_rate, 1e-4 * 8);
});

test("lengths go by memory: for 2, 8 and 16 GB", () => {
  const lengths = (memory: string) => pick(optionsOf("--memory", memory), "max_in_len", "max_out_len");
  assert.deepEqual(lengths("1GB"), [128, 80]);
  assert.deepEqual(lengths("2GB"), [128, 80]);
  assert.deepEqual(lengths("7.9GB"), [128, 80]);
  assert.deepEqual(lengths("8GB"), [1024, 1152]);
  assert.deepEqual(lengths("16GB"), [1024, 2048]);
  assert.deepEqual(lengths("64GB"), [1024, 2048]);
});

test("for 2 GB the head alone learns the new tokens, unless the run is another's", () => {
  assert.deepEqual(optionsOf("--memory", "2GB").modules_to_save, ["lm_head"]);
  assert.equal(optionsOf("--memory", "8GB").modules_to_save, null);
  assert.equal(optionsOf("--memory", "2GB", "--continue_from", "earlier").modules_to_save, null);
});

test("what was said goes first, on the command line and in a file", () => {
  const own = optionsOf(
    "--adapter",
    "lora",
    "--learning_rate",
    "0.01",
    "--max_out_len",
    "64",
    "--epochs",
    "5",
  );
  assert.deepEqual(pick(own, "adapter", "learning_rate", "max_out_len", "num_train_epochs", "optim"), [
    ...["lora", 0.01, 64, 5],
    "adafactor",
  ]);
  const file = join(folder, "own.json");
  writeFileSync(file, JSON.stringify({ recipe: "2022", format: "region", memory: "2GB" }));
  const parsed = parseCommand(train, ["--config", file], folder) as { options: Record<string, unknown> };
  assert.deepEqual(pick(parsed.options, "format", "adapter", "max_out_len"), ["region", "pfeiffer+inv", 80]);
  // Said in another way, it is said too.
  assert.deepEqual(pick(optionsOf("--max_length", "300"), "max_in_len", "max_out_len"), [null, null]);
  assert.equal(optionsOf("--time", "10m").num_train_epochs, null);
  assert.equal(optionsOf("--max_steps", "10").num_train_epochs, null);
});

test("continuing takes the lower rate, and leaves adapter, form and tokenizer to the run that it continues", () => {
  const options = optionsOf("--continue_from", "earlier", "--memory", "2GB");
  assert.equal(options.learning_rate, 5e-9 * 3);
  assert.deepEqual(pick(options, "adapter", "extend_tokenizer", "optim", "max_out_len"), [
    ...["lora", null, "adafactor"],
    80,
  ]);
});

test("without a recipe nothing changes", () => {
  assert.deepEqual(recipeValues({ memory: 2e9 }), {});
});

test("another architecture, or no base, is a sentence that names the model", () => {
  const asked =
    /Expected a longt5 as base for --recipe 2022, found no --model; give --model google\/long-t5-tglobal-base/;
  assert.throws(() => requireBaseOf("2022", null, "no --model"), { name: "UserError", message: asked });
  writeFileSync(join(folder, "config.json"), '{"model_type":"t5"}');
  assert.throws(
    () => requireBaseOf("2022", folder, folder),
    (error) =>
      error instanceof UserError && /found model_type "t5" in .*, which it was made with/.test(error.message),
  );
});

test("help tells what the recipe sets", () => {
  for (const command of [train, cook]) {
    const text = renderHelp(command);
    for (const part of [
      "Recipe 2022",
      "google/long-t5-tglobal-base",
      "--adapter pfeiffer+inv",
      "5e-9",
      "2 GB",
    ]) {
      assert.ok(text.includes(part), `${command.name}: ${part}`);
    }
  }
});
