// What is kept for the way back: never more than there is room for, more with more room.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAdapter } from "../adapters/options.ts";
import { createModel } from "../models/table.ts";
import { type Keeper, planKeeping, planShapes } from "./keeping.ts";
import { planTraining, predictMemory } from "./plan.ts";

const model = createModel({
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  tie_word_embeddings: true,
});
if (model.kind !== "decoder") assert.fail("a Llama is a decoder");
const shape = { model, trained: 2_400_000, adapter: true, compute: "int8" } as const;
const keeper: Keeper = { shape, adapter: parseAdapter("lora") };
const wish = { max_length: 512, per_device_train_batch_size: 1, memory: null };

test("more room keeps more, and what is kept fits", () => {
  const plan = planTraining(shape, wish);
  let before = -1;
  for (let limit = plan.memory - 2e8; limit < plan.memory + 9e8; limit += 5e7) {
    const { keeping, kept_layers, kept } = planKeeping(keeper, plan, limit);
    assert.ok(kept === 0 || plan.memory + kept <= limit);
    assert.ok(kept >= before, `${kept} at ${limit}, ${before} below it`);
    assert.equal(keeping === "nothing", kept_layers === 0);
    before = kept;
  }
  assert.equal(planKeeping(keeper, plan, plan.memory + 9e8).keeping, "all");
});

test("where memory is left programs of more shapes are held, twice as many rows at most", () => {
  const plan = planTraining(shape, wish);
  const rows = (left: number) => planShapes(keeper, plan, plan.memory + left);
  assert.deepEqual([rows(-1e8), rows(0), rows(4e9)], [512, 512, 1024]);
  assert.ok(rows(3e7) > 512 && rows(3e7) < 1024, `${rows(3e7)}`);
  assert.equal(planShapes(keeper, { ...plan, arena: false }, 0), 1024);
});

test("rounded weights take less than f32 ones, rounding takes some of it back", () => {
  const at = { batch: 1, length: 512, arena: true };
  const { compute: _, ...plain } = shape;
  const saved = predictMemory(plain, at) - predictMemory(shape, at);
  // Of 106 million numbers half, less the columns that stay f32.
  assert.ok(saved > 1.6e8 && saved < 1.95e8, `${saved}`);
});
