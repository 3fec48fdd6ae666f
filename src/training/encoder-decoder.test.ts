// Pairs of source and answer, what training them will need, how a model of nothing begins, and dropout, on tiny models.
// Losses and gradients against the references: test/golden/t5 and models/longt5.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdapter } from "../adapters/create.ts";
import { parseAdapter } from "../adapters/options.ts";
import { createRandom } from "../base/random.ts";
import { createAnyModel } from "../models/table.ts";
import type { Sequence } from "./batch.ts";
import { EncoderDecoderEngine } from "./encoder-decoder.ts";
import { packPairs } from "./encoder-decoder-batch.ts";
import { initialPairWeights } from "./encoder-decoder-initial.ts";
import { planTraining, predictMemory } from "./plan.ts";

const SMALL = {
  ...{ model_type: "longt5", encoder_attention_type: "transient-global", feed_forward_proj: "gated-gelu" },
  ...{ vocab_size: 50, d_model: 16, d_kv: 8, d_ff: 24, num_layers: 2, num_heads: 2 },
  ...{ local_radius: 9, global_block_size: 4, tie_word_embeddings: false },
};

function twofold(config: Record<string, unknown>) {
  const model = createAnyModel(config);
  assert.ok(model.kind === "encoder-decoder");
  return model;
}

function sequence(source: number, answer: number, weight = 1): Sequence {
  const ids = Int32Array.from({ length: source + answer }, (_, i) => 2 + ((i * 7 + source) % 40));
  return { ids, promptLength: source, weight };
}

test("pairs are packed by padded lengths of both sides; the last id of an answer is said and not given", () => {
  const members = [sequence(33, 32), sequence(32, 33), sequence(5, 3, 0.5), sequence(64, 2)];
  const batches = packPairs(members, 2, 0);
  assert.deepEqual(
    batches.map(({ pairs, source, size }) => ({ pairs, lengths: source.lengths, size })),
    [
      { pairs: { batch: 2, source: 32, answer: 64 }, lengths: [5, 32], size: 96 },
      { pairs: { batch: 2, source: 64, answer: 32 }, lengths: [33, 64], size: 96 },
    ],
  );
  const [first] = batches;
  assert.deepEqual([...first!.ids.subarray(0, 4)].map(Number), [0, ...members[2]!.ids.subarray(5, 7), 0]);
  assert.deepEqual(first!.labels.slice(0, 3), [...members[2]!.ids.subarray(5)]);
  assert.deepEqual(first!.weights.slice(0, 4), [0.5, 0.5, 0.5, 1]);
  assert.deepEqual(first!.owners.slice(0, 4), [2, 2, 2, 1]);
  assert.deepEqual(batches[1]!.rows.slice(0, 32), [...Array(32).keys()]);
});

test("a plan: less memory for shorter, fewer and no arena; a budget that nothing fits is named", () => {
  const model = twofold({
    ...{
      model_type: "t5",
      vocab_size: 32128,
      d_model: 512,
      d_kv: 64,
      d_ff: 1024,
      num_layers: 8,
      num_heads: 6,
    },
    feed_forward_proj: "gated-gelu",
  });
  const shape = { model, trained: 1e6, adapter: true };
  const sizes = { batch: 4, length: 512, arena: true };
  const most = predictMemory(shape, sizes);
  for (const less of [{ batch: 2 }, { length: 256 }, { arena: false }])
    assert.ok(predictMemory(shape, { ...sizes, ...less }) < most);
  assert.ok(predictMemory({ ...shape, adapter: false, trained: 77e6 }, sizes) > 2 * 77e6 * 4);
  const wish = { max_length: null, per_device_train_batch_size: 8, memory: 0.9e9 };
  const { max_length, batch, memory } = planTraining(shape, wish);
  assert.ok(max_length === 512 && batch < 8 && memory <= 0.9e9);
  assert.throws(() => planTraining(shape, { ...wish, memory: 1e8 }), {
    name: "UserError",
    message: /at least \d+MB/,
  });
});

test("a network of nothing begins near the loss of guessing, and the same seed begins alike", async () => {
  for (const change of [{}, { tie_word_embeddings: true }, { feed_forward_proj: "relu" }]) {
    const model = twofold({ ...SMALL, ...change });
    const arrays = initialPairWeights(model, 3);
    assert.deepEqual(arrays, initialPairWeights(model, 3));
    const read = (name: string) => arrays.get(name)!.data as Float32Array<ArrayBuffer>;
    const device = { threads: 1, arena: true };
    const engine = new EncoderDecoderEngine({ model, read, adapter: null, trainable: "none", device });
    const nll = await engine.evaluate(engine.pack([sequence(20, 30)], 1)[0]!);
    const loss = nll.reduce((sum, value) => sum + value, 0) / nll.length;
    assert.ok(Math.abs(loss - Math.log(50)) < 1.5, `loss ${loss}`);
    await engine.dispose();
  }
});

test("dropout follows from the seed, and each input of a layer that has two is masked by itself", async () => {
  const model = twofold(SMALL);
  const arrays = initialPairWeights(model, 3);
  const read = (name: string) => arrays.get(name)!.data as Float32Array<ArrayBuffer>;
  const config = parseAdapter("lora[target_modules=[k], lora_dropout=0.5]");
  const adapter = createAdapter(config, { model, read }, createRandom(1));
  for (const { data } of adapter.arrays.values()) data.fill(0.1);
  const device = { threads: 1, arena: true };
  const engine = new EncoderDecoderEngine({ model, read, adapter, trainable: "adapter", device });
  const [batch] = engine.pack([sequence(20, 6), sequence(23, 5)], 2);
  const gradientsOf = async (seed: number) => {
    engine.clearGradients();
    const nll = await engine.accumulate(batch!, seed);
    return [nll, ...[...engine.trained.values()].flatMap(({ gradient }) => [...gradient])];
  };
  const first = await gradientsOf(1);
  assert.deepEqual(await gradientsOf(1), first);
  assert.notDeepEqual(await gradientsOf(2), first);
  assert.ok(first.every(Number.isFinite) && first.slice(1).some((value) => value !== 0));
  await engine.dispose();
});
