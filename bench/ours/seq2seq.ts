// Our side of the bench `seq2seq`: a process that takes one warm-up step and then measures each step, as JSON lines.

import { createAdapter } from "../../src/adapters/create.ts";
import { parseAdapter } from "../../src/adapters/options.ts";
import { defaultsOf } from "../../src/base/options.ts";
import { createRandom } from "../../src/base/random.ts";
import { adamwOptions, createAdamw, stepAdamw } from "../../src/training/adamw.ts";
import { planPairKeeping } from "../../src/training/encoder-decoder-keeping.ts";
import type { Compute } from "../../src/training/engine.ts";
import { openNetwork } from "../../src/training/network.ts";
import { planTraining, shapeOf } from "../../src/training/plan.ts";
import { clipFactor, gradientNorm } from "../../src/training/trained.ts";
import { createRandomPair } from "./random.ts";
import { stopwatch } from "./stopwatch.ts";

type Job = {
  readonly shape: string;
  /** Tokens of the source, and of the answer. */
  readonly length: number;
  readonly targets: number;
  readonly steps: number;
  readonly threads: number;
  readonly compute: Compute;
  /** Budget in bytes, from which follows what forward passes keep. */
  readonly memory: number;
};

const ADAPTER = parseAdapter("pfeiffer+inv");

await main(JSON.parse(process.argv[2]!) as Job);

async function main({ shape, length, targets, steps, threads, compute, memory }: Job): Promise<void> {
  const random = createRandom(1);
  const { model, read } = createRandomPair(shape);
  const adapter = createAdapter(ADAPTER, { model, read }, random);
  const sizes = { ...shapeOf(model, adapter, "adamw_torch"), model, compute, max_in_len: length };
  const wish = { max_length: length + targets, per_device_train_batch_size: 1, memory };
  const plan = planTraining(sizes, wish);
  const device = { threads, arena: plan.arena };
  const { keeping, kept_layers, kept } = planPairKeeping({ shape: sizes, adapter: ADAPTER }, plan, memory);
  const dials = { compute, keeping, kept_layers };
  const engine = openNetwork({ model, read, adapter, trainable: "adapter", device, ...dials });
  const sequence = () => {
    const ids = Int32Array.from({ length: length + targets }, () => random.below(model.vocab_size));
    return { ids, promptLength: length };
  };
  const check = (await engine.prepare?.([sequence(), sequence()])) ?? null;
  if (check && !check.passed) {
    throw new Error(`Expected int8 to pass its check, found ${JSON.stringify(check)}`);
  }
  const adamw = createAdamw(engine.trained);
  const options = { ...defaultsOf(adamwOptions), learning_rate: 1e-4 };
  for (let step = 0; step <= steps; step++) {
    const example = sequence();
    const measured = stopwatch();
    const [batch] = engine.pack([example], 1);
    const loss = (await engine.accumulate(batch!)) / targets;
    const scale = clipFactor(gradientNorm(engine.trained, 1 / targets), 1) / targets;
    stepAdamw(adamw, engine.trained, { ...options, scale });
    engine.clearGradients();
    const { seconds, ...rest } = measured();
    if (step === 0) continue;
    const told = { tokens_per_second: (length + targets) / seconds, loss };
    const planned = { predicted_bytes: plan.memory + kept, kept_layers };
    const checked = check
      ? { f32_loss: check.f32_loss, int8_loss: check.int8_loss, cosine: check.cosine }
      : {};
    console.log(JSON.stringify({ ...told, ...planned, ...checked, ...rest }));
  }
  await engine.dispose();
}
