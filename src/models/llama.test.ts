// A Llama's configuration, and its parameters against the names and shapes in weights that transformers wrote. Its
// numbers are compared with transformers' in training/engine.test.ts and generation/decoder.test.ts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { UserError } from "../base/errors.ts";
import { openFolder } from "../weights/folder.ts";
import { parseLlamaConfig } from "./llama.ts";
import { allParameters } from "./model.ts";
import { createModel } from "./table.ts";

const GOLDEN = new URL("../../test/golden/llama/", import.meta.url).pathname;

const least = {
  model_type: "llama",
  vocab_size: 100,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
};

test("defaults are those of transformers' LlamaConfig", () => {
  assert.deepEqual(parseLlamaConfig(least), {
    vocab_size: 100,
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 4,
    head_dim: 16,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    rope_scaling: null,
    max_position_embeddings: 2048,
    tie_word_embeddings: false,
  });
});

test("rope_theta at the top, as up to transformers 4, and in rope_parameters, as from 5", () => {
  assert.equal(parseLlamaConfig({ ...least, rope_theta: 5e5 }).rope_theta, 5e5);
  const rope_parameters = { rope_type: "default", rope_theta: 130_000 };
  assert.equal(parseLlamaConfig({ ...least, rope_parameters }).rope_theta, 130_000);
  assert.equal(parseLlamaConfig({ ...least, rope_parameters: null, rope_scaling: null }).rope_theta, 10_000);
  const file = (variant: string) => JSON.parse(readFileSync(`${GOLDEN}${variant}/config.json`, "utf8"));
  assert.ok("rope_parameters" in file("tied") && !("rope_parameters" in file("untied")), "one of each kind");
  assert.equal(parseLlamaConfig(file("tied")).rope_theta, parseLlamaConfig(file("untied")).rope_theta);
});

const refused: readonly (readonly [Record<string, unknown>, RegExp])[] = [
  [{ hidden_act: "gelu" }, /hidden_act to be "silu".*found "gelu"/],
  [{ attention_bias: true }, /attention_bias to be false/],
  [{ mlp_bias: true }, /mlp_bias to be false/],
  [{ rope_scaling: { rope_type: "llama3", factor: 8 } }, /positive number for low_freq_factor/],
  [
    { rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 4, high_freq_factor: 4 } },
    /high_freq_factor above low_freq_factor .*found 4 and 4/,
  ],
  [{ rope_scaling: "llama3" }, /an object for rope_scaling .*found a string/],
  [{ rope_scaling: { type: "linear", factor: 2 } }, /type to be "default".*found "linear"/],
  [{ rope_parameters: { rope_type: "yarn", rope_theta: 1e4 } }, /found "yarn"/],
  [{ rope_parameters: { rope_theta: "1e4" } }, /positive number for rope_theta/],
  [{ num_attention_heads: 5 }, /whole number for head_dim/],
  [{ num_attention_heads: 8 }, /head_dim to be a multiple of 16.*found 8; choose another base/],
  [{ head_dim: 24 }, /head_dim to be a multiple of 16.*found 24/],
  [{ num_key_value_heads: 3 }, /num_attention_heads to be a multiple of num_key_value_heads .*found 4 and 3/],
  [{ vocab_size: undefined }, /positive number for vocab_size/],
  [{ vocab_size: 2 ** 30 }, /at most 67108864 for vocab_size .*found 1073741824/],
  [{ num_hidden_layers: 1e6 }, /at most 1000 for num_hidden_layers/],
];

for (const [change, sentence] of refused) {
  test(`refused: ${JSON.stringify(change)}`, () => {
    assert.throws(
      () => createModel({ ...least, ...change }),
      (error) => error instanceof UserError && sentence.test(error.message),
    );
  });
}

for (const variant of ["tied", "untied"]) {
  test(`parameters are those that transformers wrote, ${variant} head`, () => {
    const source = openFolder(GOLDEN + variant);
    const wanted = [...source.arrays.values()].map(({ name, shape }) => `${name} [${shape}]`);
    const found = allParameters(createModel(source.config)).map(({ name, shape }) => `${name} [${shape}]`);
    assert.deepEqual(found.sort(), wanted.sort());
    source.dispose();
  });
}

test("no parameter of a stage has the name of one of its other inputs", () => {
  const model = createModel(least);
  const names = [...model.blockParameters, ...model.headParameters, model.embeddingParameter].map(
    (p) => p.name,
  );
  // Stages call their own inputs by one word; parameters have a dot in their name.
  assert.ok(names.every((name) => name.includes(".")));
});
