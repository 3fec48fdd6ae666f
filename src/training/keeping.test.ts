// What is kept for the way back: never more than there is room for, more with more room.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAdapter } from "../adapters/options.ts";
import { createModel } from "../models/table.ts";
import { type Keeper, passTime, planKeeping, planShapes } from "./keeping.ts";
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

for (const max_length of [512, 2048]) {
  test(`more room is never slower, and what is predicted fits: ${max_length} tokens`, () => {
    const plan = planTraining(shape, { ...wish, max_length });
    const work = { layers: model.num_hidden_layers, length: max_length };
    const least = planKeeping(keeper, plan, 0);
    const seen = new Set<string>();
    let before = passTime(least, work);
    for (let limit = least.memory; limit < least.memory + 3e9; limit += 5e7) {
      const chosen = planKeeping(keeper, plan, limit);
      assert.ok(chosen.memory <= limit, `${chosen.memory} planned within ${limit}`);
      assert.ok(passTime(chosen, work) <= before, `slower in ${limit}`);
      assert.equal(chosen.kept === 0, chosen.keeping === "nothing");
      assert.equal(chosen.kept_layers === 0, chosen.keeping === "nothing");
      before = passTime(chosen, work);
      seen.add(chosen.keeping);
    }
    const wanted = max_length > 1024 ? ["attention", "narrow", "linear"] : ["narrow", "linear", "all"];
    assert.ok(
      wanted.every((keeping) => seen.has(keeping)),
      [...seen].join(),
    );
  });
}

test("a process without tokenizer and texts is predicted to take less", () => {
  const plan = planTraining(shape, wish);
  const [bare, whole] = [true, false].map(
    (bare) => planKeeping({ ...keeper, shape: { ...shape, bare } }, plan, 0).memory,
  );
  assert.ok(whole! > bare! + 5e7);
});

test("in 16 bits half is kept of as many blocks, and only where products are on eight", () => {
  const plan = planTraining(shape, { ...wish, max_length: 2048 });
  const chosen = planKeeping(keeper, plan, 1.25e9);
  assert.deepEqual([chosen.keeping, chosen.halved, chosen.kept_layers], ["narrow", true, 30]);
  // Half of 17.9 MB a block, its input in 16 bits, and of each part that stays two layers of a byte.
  const each = 17.9e6 / 2 + 2 * 2048 * 576 + 2 * 448 * 1540 * (chosen.staying ?? 0);
  assert.ok(chosen.kept < 1.05 * 31 * each && chosen.kept > 0.85 * 31 * each, `${chosen.kept}`);
  const plain = { ...keeper, shape: { ...shape, compute: "f32" as const } };
  for (const limit of [1e9, 1.5e9, 2e9]) assert.equal(planKeeping(plain, plan, limit).halved, false);
});

test("with more room wide values stay on eight bits for some rows, for more with more", () => {
  const plan = planTraining(shape, { ...wish, max_length: 2048 });
  const parts = [1.25e9, 1.3e9, 1.4e9].map((limit) => planKeeping(keeper, plan, limit).staying ?? 0);
  assert.ok(parts[0]! < parts[1]! && parts[1]! < parts[2]!, parts.join());
});

test("where memory is left programs of more shapes are held, twice as many rows at most", () => {
  const plan = planTraining(shape, wish);
  const form = { keeping: "all", halved: false, alone: false } as const;
  const shapes = (left: number) => planShapes(keeper, plan, { ...form, limit: plan.memory + left });
  const rows = (left: number) => shapes(left).held_rows;
  assert.deepEqual([rows(-1e8), rows(0), rows(4e9)], [512, 512, 1024]);
  assert.ok(rows(3e7) > 512 && rows(3e7) < 1024, `${rows(3e7)}`);
  for (const left of [-1e8, 0, 3e7]) assert.ok(shapes(left).more <= Math.max(0, left));
  assert.ok(shapes(4e9).more > 3e7);
  const none = { held_rows: 1024, more: 0 };
  assert.deepEqual(planShapes(keeper, { ...plan, arena: false }, { ...form, limit: 0 }), none);
  const alone = { ...form, alone: true, limit: 4e9 };
  assert.deepEqual(planShapes(keeper, plan, alone), { held_rows: 0, more: 0 });
});

test("rounded weights take less than f32 ones, rounding takes some of it back", () => {
  const at = { batch: 1, length: 512, arena: true };
  const { compute: _, ...plain } = shape;
  const saved = predictMemory(plain, at) - predictMemory(shape, at);
  // Of 106 million numbers half, less the columns that stay f32, and of an embedding of 28 million half.
  assert.ok(saved > 2.1e8 && saved < 2.6e8, `${saved}`);
  const more = predictMemory(shape, at) - predictMemory({ ...shape, once: true }, at);
  assert.equal(more, 30 * 3538944);
});
