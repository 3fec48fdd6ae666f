// Gradients must not depend on threads. An id that occurs at every position is where they would: each of its
// positions adds to the same row of the embedding.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createModel } from "../models/table.ts";
import { packBatches } from "./batch.ts";
import { Engine } from "./engine.ts";
import { initialWeights } from "./initial.ts";

const CONFIG = {
  model_type: "llama",
  hidden_act: "silu",
  hidden_size: 192,
  intermediate_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  head_dim: 16,
  vocab_size: 64,
  max_position_embeddings: 512,
};

async function embeddingGradient(threads: number): Promise<Float32Array> {
  const model = createModel(CONFIG);
  const weights = initialWeights(model, 1);
  const read = (name: string) => Float32Array.from(weights.get(name)!.data);
  const engine = new Engine({
    model,
    read,
    adapter: null,
    trainable: "all",
    device: { threads, arena: true },
  });
  try {
    const sequence = { ids: new Int32Array(512).fill(7), promptLength: 500 };
    for (const batch of packBatches(new Array(8).fill(sequence), 8)) await engine.accumulate(batch);
    return Float32Array.from(engine.trained.get("model.embed_tokens.weight")!.gradient);
  } finally {
    await engine.dispose();
  }
}

test("an id at every position has the same gradient with one thread and with four, time after time", async () => {
  const single = await embeddingGradient(1);
  assert.ok(single.some((value) => Math.abs(value) > 1e-3));
  for (let run = 0; run < 3; run++) {
    const many = await embeddingGradient(4);
    const worst = many.reduce((most, value, i) => Math.max(most, Math.abs(value - single[i]!)), 0);
    assert.ok(worst < 1e-5, `differs by ${worst}`);
  }
});
