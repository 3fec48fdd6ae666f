// Plans over all budgets: the promises that do not depend on how well the factors are fitted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { adapterConfig, adapterOptions } from "../adapters/options.ts";
import { UserError } from "../base/errors.ts";
import { defaultsOf, parseValue } from "../base/options.ts";
import { createModel } from "../models/table.ts";
import { planTraining, predictMemory, type Shape, shapeOf } from "./plan.ts";

const small = createModel({
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  tie_word_embeddings: true,
});
const adapted: Shape = { model: small, trained: 2_400_000, adapter: true };
const whole: Shape = { model: small, trained: 134_000_000, adapter: false };
const wish = { max_length: null, per_device_train_batch_size: 4 };

test("no budget is no limit: the longest length, the batch that was asked for", () => {
  const plan = planTraining(adapted, { ...wish, memory: null });
  assert.deepEqual([plan.max_length, plan.batch, plan.arena], [512, 4, true]);
});

for (const [name, shape] of Object.entries({ whole })) {
  test(`a larger budget never gives a shorter length, and a plan stays within its budget: ${name}`, () => {
    let longest = 0;
    let accepted = 0;
    for (let memory = 400e6; memory < 16e9; memory *= 1.03) {
      const plan = planOrNull(shape, memory);
      if (plan === null) {
        assert.equal(accepted, 0, `${memory} is refused and a smaller budget was not`);
        continue;
      }
      accepted++;
      assert.ok(plan.memory <= memory);
      assert.ok(plan.max_length >= longest, `${plan.max_length} at ${memory}, ${longest} below it`);
      longest = plan.max_length;
    }
    assert.ok(accepted > 0);
    assert.equal(longest, 512);
  });

  for (const max_length of [null, 512]) {
    test(`a refusal names a budget that is then accepted: ${name}, max_length ${max_length}`, () => {
      const ask = (memory: number) => planTraining(shape, { ...wish, max_length, memory });
      const message = refusal(() => ask(1e6));
      const named = /give --memory (\S+) /.exec(message)?.[1];
      assert.ok(named, message);
      const least = Number(parseValue("memory", { type: "bytes", default: null, help: "" }, named));
      assert.equal(ask(least).batch, 1);
      assert.match(
        refusal(() => ask(least - 2e6)),
        new RegExp(`give --memory ${named} `),
      );
    });
  }
}

test("a wish longer than the model's context is refused, one within it is kept", () => {
  const ask = (max_length: number) => planTraining(adapted, { ...wish, max_length, memory: null });
  assert.match(
    refusal(() => ask(4096)),
    /max_length of at most 2048.*found 4096/,
  );
  assert.equal(ask(700).max_length, 700);
});

test("a model of a very short context is trained up to all of it", () => {
  const model = { ...small, max_position_embeddings: 64 };
  assert.equal(planTraining({ ...adapted, model }, { ...wish, memory: null }).max_length, 64);
});

test("prediction grows with length, batch, trained numbers and the arena", () => {
  const at = (extent: Partial<Parameters<typeof predictMemory>[1]>, shape = adapted) =>
    predictMemory(shape, { batch: 1, length: 256, arena: false, ...extent });
  assert.ok(at({ length: 512 }) > at({}));
  assert.ok(at({ batch: 2 }) > at({}));
  assert.ok(at({ arena: true }) > at({}));
  assert.ok(at({}, whole) > at({}));
});

test("an embedding that an adapter trains whole costs its gradient; Adafactor costs no moments", () => {
  const embedding = { shape: [49152, 576], data: new Float32Array() };
  const config = adapterConfig({ ...defaultsOf(adapterOptions), modules_to_save: ["embed_tokens"] });
  const adapter = { config, arrays: new Map([["model.embed_tokens.weight", embedding]]) };
  const shape = shapeOf(small, adapter, "adamw_torch");
  assert.equal(shape.whole, 49152 * 576);
  const extent = { batch: 1, length: 128, arena: true };
  const memory = predictMemory(shape, extent);
  // Measured 1.80 GB with a LoRA beside it.
  assert.ok(memory > 1.6e9 && memory < 2e9, `${memory}`);
  const less = predictMemory(shapeOf(small, adapter, "adafactor"), extent);
  assert.equal(memory - less, 2 * 4 * 49152 * 576);
});

function planOrNull(shape: Shape, memory: number) {
  try {
    return planTraining(shape, { ...wish, memory });
  } catch (error) {
    assert.ok(error instanceof UserError);
    return null;
  }
}

function refusal(plan: () => unknown): string {
  try {
    plan();
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error.message;
  }
  return assert.fail("a plan where none was expected");
}
