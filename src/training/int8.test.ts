// Eight-bit products against f32 ones: on a Llama whose weights are of a real model's size the loss stays near and the
// gradient points the same way; what is large in one channel alone stays exact; runs are equal to the bit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdapter } from "../adapters/create.ts";
import { parseAdapter } from "../adapters/options.ts";
import { createRandom } from "../base/random.ts";
import { allParameters } from "../models/model.ts";
import { createModel } from "../models/table.ts";
import { type Batch, packBatches } from "./batch.ts";
import { calibrationBatches, judge } from "./calibration.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import type { Keeping } from "./kept.ts";

const model = createModel({
  model_type: "llama",
  vocab_size: 96,
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
});
if (model.kind !== "decoder") assert.fail("a Llama is a decoder");

/** Weights of which one input channel is far larger than the others, as in real networks. */
function weights(): ReadonlyMap<string, Float32Array<ArrayBuffer>> {
  const random = createRandom(3);
  return new Map(
    allParameters(model).map(({ name, shape }) => {
      const size = shape.reduce((n, extent) => n * extent, 1);
      const values = Float32Array.from({ length: size }, () => (random.uniform() - 0.5) * 0.16);
      if (shape.length === 1) values.fill(1)[7] = 12;
      return [name, values];
    }),
  );
}

const held = weights();
const read = (name: string) => held.get(name)!.slice();

function open(kind: string, options: Partial<EngineOptions> = {}): Engine {
  const adapter = createAdapter(parseAdapter(kind), { model, read }, createRandom(5));
  const random = createRandom(6);
  // B starts as zeros, and then no gradient reaches A.
  for (const { data } of adapter.arrays.values())
    for (let i = 0; i < data.length; i++) data[i]! += (random.uniform() - 0.5) * 0.05;
  return new Engine({
    model,
    read,
    adapter,
    trainable: "adapter",
    device: { threads: 1, arena: true },
    ...options,
  });
}

const random = createRandom(9);
const sequences = Array.from({ length: 3 }, (_, i) => ({
  ids: Int32Array.from({ length: 150 + 40 * i }, () => random.below(96)),
  promptLength: 100,
}));
const [batch] = calibrationBatches(sequences) as [Batch];

async function gradientOf(engine: Engine, input = batch): Promise<{ nll: number; gradient: Float32Array }> {
  const nll = await engine.accumulate(input, 11);
  const gradient = Float32Array.from([...engine.trained.values()].flatMap((array) => [...array.gradient]));
  await engine.dispose();
  return { nll, gradient };
}

function worst(found: Float32Array, wanted: Float32Array): number {
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0) / size;
}

const KINDS = [
  "lora[r=4]",
  "lora[r=4,use_dora=true]",
  "lora[r=4,target_modules=v_proj]",
  "lora[r=4,lora_dropout=0.3]",
  "pfeiffer+inv",
];

for (const kind of KINDS) {
  test(`whatever is kept, the gradient is the plain program's: ${kind}`, async () => {
    const plain = await gradientOf(open(kind));
    assert.ok(plain.gradient.some((value) => Math.abs(value) > 1e-3));
    for (const keeping of ["narrow", "linear", "all"] as Keeping[]) {
      for (const kept_layers of [1, 3]) {
        const kept = await gradientOf(open(kind, { keeping, kept_layers }));
        assert.equal(kept.nll, plain.nll);
        const difference = worst(kept.gradient, plain.gradient);
        assert.ok(difference < 1e-5, `${keeping} of ${kept_layers} layers: ${difference}`);
      }
    }
    const streamed = await gradientOf(open(kind, { streams: true }));
    assert.deepEqual(streamed, plain);
  });

  test(`eight-bit products pass their check, twice with the same bits: ${kind}`, async () => {
    const runs = [];
    for (const keeping of ["nothing", "all", "all"] as Keeping[]) {
      const engine = open(kind, { compute: "int8", keeping });
      const check = await engine.prepare(sequences);
      assert.ok(check?.passed, JSON.stringify(check));
      assert.ok(check.cosine < 1, "nothing was rounded");
      runs.push(await gradientOf(engine));
    }
    assert.deepEqual(runs[1], runs[2]);
    assert.ok(worst(runs[0]!.gradient, runs[1]!.gradient) < 1e-5);
  });
}

test("whatever is kept of a long input, the gradient is the plain program's", async () => {
  const random = createRandom(12);
  const long = { ids: Int32Array.from({ length: 1500 }, () => random.below(96)), promptLength: 1100 };
  const [input] = packBatches([long], 1);
  const plain = await gradientOf(open("lora[r=4]"), input);
  assert.ok(plain.gradient.some((value) => Math.abs(value) > 1e-3));
  for (const keeping of ["attention", "narrow", "linear", "all"] as Keeping[]) {
    const forms = [{ kept_layers: 1 }, { kept_layers: 3 }, { kept_layers: 2, alone: true }];
    for (const form of forms) {
      const kept = await gradientOf(open("lora[r=4]", { keeping, ...form }), input);
      assert.equal(kept.nll, plain.nll);
      const difference = worst(kept.gradient, plain.gradient);
      assert.ok(difference < 1e-5, `${keeping}, ${JSON.stringify(form)}: ${difference}`);
    }
  }
});

for (const [length, keepings] of [
  [300, ["narrow", "linear", "all"]],
  [1500, ["attention", "narrow", "linear"]],
] as const) {
  test(`what is kept in 16 bits takes half and changes little: ${length} tokens`, async () => {
    const random = createRandom(13);
    const ids = Int32Array.from({ length }, () => random.below(96));
    const [input] = packBatches([{ ids, promptLength: length - 100 }], 1);
    const run = async (keeping: Keeping, halved: boolean) => {
      const engine = open("lora[r=4]", { compute: "int8", keeping, kept_layers: 2, halved });
      assert.ok((await engine.prepare(sequences))?.passed);
      return gradientOf(engine, input);
    };
    for (const keeping of keepings) {
      const [plain, held] = [await run(keeping, false), await run(keeping, true)];
      assert.equal(held.nll, plain.nll);
      const difference = worst(held.gradient, plain.gradient);
      assert.ok(difference > 1e-7 && difference < 2e-2, `${keeping}: ${difference}`);
    }
  });
}

test("what stays on eight bits changes little, blocks' inputs in 16 next to nothing", async () => {
  const random = createRandom(17);
  const ids = Int32Array.from({ length: 1500 }, () => random.below(96));
  const [input] = packBatches([{ ids, promptLength: 1400 }], 1);
  const run = async (staying?: number) => {
    const engine = open("lora[r=4]", { compute: "int8", keeping: "narrow", halved: true, staying });
    assert.ok((await engine.prepare(sequences))?.passed);
    // An evaluation keeps nothing, and leaves nothing that a pass back could take for its own.
    await engine.evaluate(input!);
    return gradientOf(engine, input);
  };
  const plain = await run();
  const far = [];
  for (const staying of [0, 2, 4]) {
    const held = await run(staying);
    assert.equal(held.nll, plain.nll);
    far.push(worst(held.gradient, plain.gradient));
  }
  assert.ok(far[0]! > 1e-7 && far.every((difference) => difference < 4e-2), far.join());
  assert.notEqual(far[1], far[0]);
  assert.notEqual(far[2], far[1]);
});

for (const kind of [
  "lora[r=4,use_dora=true]",
  "pfeiffer+inv[reduction_factor=4]",
  "houlsby[reduction_factor=4]",
]) {
  test(`${kind}: what stays on eight bits changes little`, async () => {
    const ids = Int32Array.from({ length: 1500 }, (_, i) => (i * 37) % 96);
    const [input] = packBatches([{ ids, promptLength: 1400 }], 1);
    const run = async (dials: Partial<EngineOptions>) => {
      const engine = open(kind, { compute: "int8", keeping: "narrow", ...dials });
      assert.ok((await engine.prepare(sequences))?.passed);
      return gradientOf(engine, input);
    };
    const plain = await run({});
    const held = await run({ halved: true, staying: 2 });
    assert.equal(held.nll, plain.nll);
    const difference = worst(held.gradient, plain.gradient);
    assert.ok(difference > 1e-7 && difference < 4e-2, `${difference}`);
  });
}

test("in f32 nothing is kept in 16 bits", async () => {
  const runs = [false, true].map((halved) => gradientOf(open("lora[r=4]", { keeping: "all", halved })));
  const [plain, asked] = await Promise.all(runs);
  assert.deepEqual(asked, plain);
});

test("weights held once train as those that are held for each direction", async () => {
  const [once, twice] = await Promise.all(
    [true, false].map(async (once) => {
      const engine = open("lora[r=4]", { compute: "int8", once });
      const check = await engine.prepare(sequences);
      assert.ok(check?.passed, JSON.stringify(check));
      return { check, ...(await gradientOf(engine)) };
    }),
  );
  assert.ok(Math.abs(once!.nll - twice!.nll) < 1e-3 * twice!.nll, `${once!.nll} and ${twice!.nll}`);
  assert.ok(Math.abs(once!.check.cosine - twice!.check.cosine) < 2e-3);
  assert.ok(worst(once!.gradient, twice!.gradient) > 0, "the way back is another");
});

test("a check whose sequences are run one by one, as where memory is short, finds what they give together", async () => {
  // Of one length: what fills a shorter one up is looked at as well.
  const equal = sequences.map(({ ids, ...rest }) => ({ ids: ids.slice(0, 150), ...rest }));
  const [apart, together] = await Promise.all(
    [160, 320].map(async (rows) => {
      const engine = open("lora[r=4]", { compute: "int8", rows });
      const check = await engine.prepare(equal);
      return { check: check!, ...(await gradientOf(engine)) };
    }),
  );
  assert.deepEqual(
    [319, 320].map((most) => calibrationBatches(equal, most).length),
    [2, 1],
  );
  const near = (a: number, b: number) => Math.abs(a - b) < 1e-5 * Math.abs(b);
  assert.ok(near(apart!.check.f32_loss, together!.check.f32_loss));
  assert.ok(near(apart!.check.int8_loss, together!.check.int8_loss));
  assert.ok(near(apart!.check.cosine, together!.check.cosine));
  assert.ok(worst(apart!.gradient, together!.gradient) < 1e-5, "other channels stay f32");
});

test("where the check fails and f32 weights do not fit they are read anew, else held", async () => {
  let reads = 0;
  // One weight in a hundred is far larger than the others: rounding leaves nothing of these.
  const rough = (name: string) => {
    reads++;
    return read(name).map((value, i) => (name.includes("_proj") && i % 101 === 0 ? 30 : value));
  };
  const losses: number[] = [];
  for (const streams_f32 of [true, false]) {
    const engine = open("lora[r=4]", { compute: "int8", streams_f32, read: rough });
    const check = await engine.prepare(sequences);
    assert.equal(check?.passed, false, JSON.stringify(check));
    reads = 0;
    losses.push(await engine.accumulate(batch));
    assert.equal(reads > 0, streams_f32);
    await engine.dispose();
  }
  assert.equal(losses[0], losses[1]);
});

test("what differs too much is refused", () => {
  const near = { f32_loss: 2, int8_loss: 2.01, cosine: 0.99 };
  assert.equal(judge(near).passed, true);
  assert.equal(judge({ ...near, cosine: 0.98 }).passed, false);
  assert.equal(judge({ ...near, int8_loss: 2.1 }).passed, false);
});

test("where every weight is trained nothing is rounded", async () => {
  const engine = open("lora[r=4]", { adapter: null, trainable: "all", compute: "int8" });
  assert.equal(await engine.prepare(sequences), null);
  assert.ok((await engine.accumulate(batch)) > 0);
  await engine.dispose();
});
