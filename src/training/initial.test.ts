// Where a model that is trained from nothing starts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createModel } from "../models/table.ts";
import { initialWeights } from "./initial.ts";

const model = createModel({
  ...{ model_type: "qwen2", hidden_act: "silu", vocab_size: 60, hidden_size: 32, intermediate_size: 48 },
  ...{ num_hidden_layers: 8, num_attention_heads: 2, num_key_value_heads: 1, max_position_embeddings: 32 },
  ...{ rms_norm_eps: 1e-6, rope_theta: 10000, tie_word_embeddings: false },
});

const deviation = (data: Float32Array) =>
  Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);

test("biases start at zero, norms at one, what leads back into the residual stream smaller by the depth", () => {
  const arrays = initialWeights(model, 1);
  const of = (name: string) => arrays.get(`model.layers.3.${name}`)!.data;
  assert.ok(of("self_attn.q_proj.bias").every((value) => value === 0));
  assert.ok(of("input_layernorm.weight").every((value) => value === 1));
  assert.ok(Math.abs(deviation(of("mlp.up_proj.weight")) - 0.02) < 0.002);
  assert.ok(Math.abs(deviation(of("mlp.down_proj.weight")) - 0.005) < 0.0005);
});

test("the same seed gives the same numbers, another one others", () => {
  assert.deepEqual(initialWeights(model, 1), initialWeights(model, 1));
  assert.notDeepEqual(initialWeights(model, 1), initialWeights(model, 2));
});
