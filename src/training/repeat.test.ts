// Steps of training, again and again: the same losses and the same arrays to the bit with equal threads, for the plain
// engine and for every dial. CODEFUDGE_LONG=1: fifty steps, five times.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdapter } from "../adapters/create.ts";
import { parseAdapter } from "../adapters/options.ts";
import { defaultsOf } from "../base/options.ts";
import { createRandom } from "../base/random.ts";
import { createModel } from "../models/table.ts";
import { adamwOptions, createAdamw, stepAdamw } from "./adamw.ts";
import { type Sequence, targetWeight } from "./batch.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { initialWeights } from "./initial.ts";

const [STEPS, RUNS] = process.env.CODEFUDGE_LONG ? [50, 5] : [8, 3];

const model = createModel({
  model_type: "llama",
  vocab_size: 96,
  hidden_size: 128,
  intermediate_size: 256,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
});
if (model.kind !== "decoder") assert.fail("a Llama is a decoder");
const weights = initialWeights(model, 1);

function window(seed: number): Sequence[] {
  const random = createRandom(seed);
  return Array.from({ length: 2 }, () => {
    const length = 30 + random.below(60);
    return { ids: Int32Array.from({ length }, () => random.below(96)), promptLength: 10 };
  });
}

async function run(threads: number, dials: Partial<EngineOptions>) {
  const read = (name: string) => Float32Array.from(weights.get(name)!.data);
  const adapter = createAdapter(parseAdapter("lora[r=4]"), { model, read } as never, createRandom(5));
  const device = { threads, arena: true };
  const given = { model, read, adapter, trainable: "adapter", device } as unknown as EngineOptions;
  const engine = new Engine({ ...given, ...dials });
  const losses: number[] = [];
  try {
    await engine.prepare([...window(1), ...window(2)]);
    const adamw = createAdamw(engine.trained);
    for (let step = 0; step < STEPS; step++) {
      const members = window(step);
      const weight = targetWeight(members);
      let nll = 0;
      for (const batch of engine.pack(members, 1)) nll += await engine.accumulate(batch, step);
      losses.push(nll / weight);
      const options = { ...defaultsOf(adamwOptions), learning_rate: 1e-3, scale: 1 / weight };
      stepAdamw(adamw, engine.trained, options);
      engine.clearGradients();
    }
    return { losses, arrays: [...engine.trained.values()].map(({ data }) => data.slice()) };
  } finally {
    await engine.dispose();
  }
}

const DIALS: Readonly<Record<string, Partial<EngineOptions>>> = {
  plain: {},
  "int8, everything kept, packed": {
    compute: "int8",
    keeping: "all",
    packing: { length: 256, longest: 90 },
    held_rows: 512,
  },
  "int4 blocks": { storage: "int4", keeping: "linear" },
};

for (const [name, dials] of Object.entries(DIALS)) {
  for (const threads of [1, 2]) {
    test(`${STEPS} steps ${RUNS} times with ${threads} threads: ${name}`, async () => {
      const first = await run(threads, dials);
      assert.notEqual(first.losses[0], first.losses.at(-1));
      for (let again = 1; again < RUNS; again++) assert.deepEqual(await run(threads, dials), first);
    });
  }
}
