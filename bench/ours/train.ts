// Our side of the bench `train`: a process that takes one warm-up step and then measures each step, as JSON lines.

import { createAdapter } from "../../src/adapters/create.ts";
import { parseAdapter } from "../../src/adapters/options.ts";
import { defaultsOf } from "../../src/base/options.ts";
import { createRandom } from "../../src/base/random.ts";
import { adamwOptions, createAdamw, stepAdamw } from "../../src/training/adamw.ts";
import { packBatches } from "../../src/training/batch.ts";
import { type Compute, Engine } from "../../src/training/engine.ts";
import { planFit } from "../../src/training/fit.ts";
import { shapeOf } from "../../src/training/plan.ts";
import type { Storage } from "../../src/training/stored.ts";
import { clipFactor, gradientNorm } from "../../src/training/trained.ts";
import { createRandomModel } from "./random.ts";
import { stopwatch } from "./stopwatch.ts";

type Job = {
  readonly shape: string;
  /** Tokens of a sequence; as many as the budget allows where it is null. */
  readonly length: number | null;
  readonly targets: number;
  readonly steps: number;
  readonly threads: number;
  readonly compute: Compute;
  readonly storage: Storage;
  /** Budget in bytes, from which follows what forward passes keep. */
  readonly memory: number;
};

const LORA = parseAdapter("lora[r=8,lora_alpha=16]");

await main(JSON.parse(process.argv[2]!) as Job);

async function main({
  shape,
  targets,
  steps,
  threads,
  compute,
  storage,
  memory,
  ...job
}: Job): Promise<void> {
  const random = createRandom(1);
  const { model, read } = createRandomModel(shape);
  const adapter = createAdapter(LORA, { model, read }, random);
  const sizes = { ...shapeOf(model, adapter, "adamw_torch"), model, compute, storage, bare: true };
  const wish = { max_length: job.length, per_device_train_batch_size: 1, memory };
  const { sizes: plan, kept } = planFit({ shape: sizes, adapter: LORA }, wish, memory);
  const length = plan.max_length;
  const { keeping, kept_layers, once = false, halved = false, staying, alone = false } = kept;
  const device = { threads, arena: plan.arena };
  const form = plan.streams ? { compute: "f32" as const, streams: true } : { compute, storage };
  const dials = { ...form, keeping, kept_layers, once, halved, staying, alone, rows: length, trusted: true };
  const engine = new Engine({ model, read, adapter, trainable: "adapter", device, ...dials });
  const sequence = () => {
    const ids = Int32Array.from({ length }, () => random.below(model.vocab_size));
    return { ids, promptLength: length - targets };
  };
  const check = await engine.prepare([sequence(), sequence()]);
  const adamw = createAdamw(engine.trained);
  const options = { ...defaultsOf(adamwOptions), learning_rate: 3e-4 };
  // Since the process began.
  const start_seconds = performance.now() / 1000;
  for (let step = 0; step <= steps; step++) {
    const example = sequence();
    const measured = stopwatch();
    const [batch] = packBatches([example], 1);
    const loss = (await engine.accumulate(batch!)) / targets;
    const scale = clipFactor(gradientNorm(engine.trained, 1 / targets), 1) / targets;
    stepAdamw(adamw, engine.trained, { ...options, scale });
    engine.clearGradients();
    const { seconds, ...rest } = measured();
    if (step > 0) {
      const told = {
        tokens_per_second: length / seconds,
        loss,
        predicted_bytes: plan.memory,
        ...{ kept_layers, kept_bytes: kept.kept, length, start_seconds, cosine: check?.cosine ?? 1 },
        ...{
          arena: Number(plan.arena),
          once: Number(once),
          halved: Number(halved),
          staying: staying ?? 0,
          alone: Number(alone),
          streams: Number(plan.streams),
        },
      };
      console.log(JSON.stringify({ ...told, ...rest }));
    }
  }
  await engine.dispose();
}
