// Eight-bit products and kept results of a network with an encoder and a decoder: the loss stays near, the gradient
// points the same way, what is kept changes nothing, runs are equal to the bit, and both engines agree on saved files.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdapter } from "../adapters/create.ts";
import { parseAdapter } from "../adapters/options.ts";
import { sizeOf } from "../base/dtype.ts";
import { createRandom } from "../base/random.ts";
import { createAnyModel } from "../models/table.ts";
import { EncoderDecoderEngine, type EncoderDecoderOptions } from "./encoder-decoder.ts";
import { initialPairWeights } from "./encoder-decoder-initial.ts";
import { planPairKeeping } from "./encoder-decoder-keeping.ts";
import type { Keeping } from "./kept.ts";
import { planTraining, predictMemory } from "./plan.ts";

const CONFIG = {
  ...{ vocab_size: 96, d_model: 64, d_kv: 16, d_ff: 160, num_layers: 2, num_heads: 4 },
  ...{ feed_forward_proj: "gated-gelu", tie_word_embeddings: false },
};
const LONG = { encoder_attention_type: "transient-global", local_radius: 15, global_block_size: 4 };

type Settings = Partial<EncoderDecoderOptions> & { readonly spoilt?: boolean };

function open(config: Record<string, unknown>, kind: string, { spoilt, ...options }: Settings = {}) {
  const model = createAnyModel({ ...CONFIG, ...config });
  if (model.kind !== "encoder-decoder") assert.fail("T5 has two sides");
  const weights = initialPairWeights(model, 3);
  // Scores so large that attention sees one place alone, and a small step decides which.
  if (spoilt)
    for (const [name, { data }] of weights)
      if (name.endsWith(".q.weight")) for (let i = 0; i < data.length; i++) data[i]! *= 100;
  // One input channel is far larger than the others, as in real networks.
  for (const [name, { shape, data }] of weights)
    if (shape.length === 1 && name.includes("block")) data[7] = 12;
  const read = (name: string) => weights.get(name)!.data.slice() as Float32Array<ArrayBuffer>;
  const adapter = createAdapter(parseAdapter(kind), { model, read }, createRandom(5));
  const random = createRandom(6);
  // B starts as zeros, and then no gradient reaches A.
  for (const { data } of adapter.arrays.values())
    for (let i = 0; i < data.length; i++) data[i]! += (random.uniform() - 0.5) * 0.05;
  const device = { threads: 1, arena: true };
  return new EncoderDecoderEngine({ model, read, adapter, trainable: "adapter", device, ...options });
}

const random = createRandom(9);
const sequences = [40, 70, 60].map((source, i) => ({
  ids: Int32Array.from({ length: source + 30 + i }, () => random.below(96)),
  promptLength: source,
}));

/** The gradient of one batch of one sequence and of one of two, in which sources are padded. */
async function gradientOf(engine: EncoderDecoderEngine): Promise<{ nll: number; gradient: Float32Array }> {
  let nll = 0;
  const batches = [...engine.pack(sequences.slice(0, 1), 1), ...engine.pack(sequences.slice(1), 2)];
  for (const batch of batches) nll += await engine.accumulate(batch, 11);
  const gradient = Float32Array.from([...engine.trained.values()].flatMap((array) => [...array.gradient]));
  await engine.dispose();
  return { nll, gradient };
}

function worst(found: Float32Array, wanted: Float32Array): number {
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0) / size;
}

const T5 = { model_type: "t5" };
const CASES: readonly (readonly [config: Record<string, unknown>, kind: string])[] = [
  [T5, "pfeiffer+inv"],
  [T5, "lora[r=4,target_modules=[q,v,wo],lora_dropout=0.3]"],
  [{ model_type: "longt5", ...LONG }, "pfeiffer+inv"],
];

for (const [config, kind] of CASES) {
  const title = `${config.model_type}, ${kind}`;

  test(`whatever is kept, the gradient is the plain program's: ${title}`, async () => {
    const plain = await gradientOf(open(config, kind));
    assert.ok(plain.gradient.some((value) => Math.abs(value) > 1e-3));
    for (const [keeping, kept_layers] of [
      ["linear", 1],
      ["all", 3],
    ] as const) {
      const kept = await gradientOf(open(config, kind, { keeping, kept_layers }));
      assert.equal(kept.nll, plain.nll);
      const difference = worst(kept.gradient, plain.gradient);
      assert.ok(difference < 1e-5, `${keeping} of ${kept_layers} layers: ${difference}`);
    }
    assert.deepEqual(await gradientOf(open(config, kind, { streams: true })), plain);
  });

  test(`eight-bit products pass their check, twice with the same bits: ${title}`, async () => {
    const runs = [];
    for (const keeping of ["nothing", "all", "all"] as Keeping[]) {
      const engine = open(config, kind, { compute: "int8", keeping });
      const check = await engine.prepare(sequences);
      assert.ok(check?.passed, JSON.stringify(check));
      assert.ok(check.cosine < 1, "nothing was rounded");
      runs.push(await gradientOf(engine));
    }
    assert.deepEqual(runs[1], runs[2]);
    assert.ok(worst(runs[0]!.gradient, runs[1]!.gradient) < 1e-5);
  });
}

test("another engine on the same rounded weights says the same, and leaves them there", async () => {
  const engine = open(T5, "pfeiffer+inv", { compute: "int8" });
  await engine.prepare(sequences);
  const [batch] = engine.pack(sequences.slice(0, 1), 1);
  const wanted = await engine.evaluate(batch!);
  const like = open(T5, "pfeiffer+inv", { trainable: "none", like: engine });
  assert.deepEqual(await like.evaluate(batch!), wanted);
  await like.dispose();
  assert.deepEqual(await engine.evaluate(batch!), wanted);
  await engine.dispose();
});

test("where eight bits are too coarse f32 is used, to the bit", async () => {
  const plain = await gradientOf(open(T5, "pfeiffer+inv", { spoilt: true }));
  const engine = open(T5, "pfeiffer+inv", { compute: "int8", spoilt: true });
  const check = await engine.prepare(sequences);
  assert.equal(check?.passed, false, JSON.stringify(check));
  assert.deepEqual(await gradientOf(engine), plain);
});

test("where every weight is trained nothing is rounded", async () => {
  const engine = open(T5, "pfeiffer+inv", { adapter: null, trainable: "all", compute: "int8" });
  assert.equal(await engine.prepare(sequences), null);
  assert.ok((await gradientOf(engine)).nll > 0);
});

test("a budget is used for keeping, never more, and rounding makes room for it", () => {
  const model = createAnyModel({ ...CONFIG, ...T5, d_model: 512, d_ff: 1024, num_layers: 8 });
  if (model.kind !== "encoder-decoder") assert.fail("T5 has two sides");
  const adapter = parseAdapter("pfeiffer+inv");
  const shape = { model, trained: sizeOf([1000, 1000]), adapter: true };
  const wish = { max_length: 512, per_device_train_batch_size: 1, memory: null };
  const plan = planTraining(shape, wish);
  const layers = ["nothing", "linear", "all"].map((_, i) => {
    const limit = plan.memory + i * 150e6;
    const { kept, kept_layers } = planPairKeeping({ shape, adapter }, plan, limit);
    assert.ok(plan.memory + kept <= limit);
    return kept_layers;
  });
  assert.ok(layers[0] === 0 && layers[1]! > 0 && layers[2] === 16, String(layers));
  const sizes = { batch: 1, length: 512, arena: true };
  assert.ok(predictMemory({ ...shape, compute: "int8" }, sizes) < predictMemory(shape, sizes));
});
