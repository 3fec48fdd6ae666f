// Our side of the bench `train`: a process that takes one warm-up step and then measures each step, as JSON lines.

import { createAdapter } from "../../src/adapters/create.ts";
import { parseAdapter } from "../../src/adapters/options.ts";
import { defaultsOf } from "../../src/base/options.ts";
import { createRandom } from "../../src/base/random.ts";
import { adamwOptions, createAdamw, stepAdamw } from "../../src/training/adamw.ts";
import { packBatches } from "../../src/training/batch.ts";
import { type Compute, Engine } from "../../src/training/engine.ts";
import type { Keeping } from "../../src/training/kept.ts";
import { clipFactor, gradientNorm } from "../../src/training/trained.ts";
import { createRandomModel } from "./random.ts";
import { stopwatch } from "./stopwatch.ts";

type Job = {
  readonly shape: string;
  readonly length: number;
  readonly targets: number;
  readonly steps: number;
  readonly threads: number;
  readonly compute: Compute;
  readonly keeping: Keeping;
};

const LORA = parseAdapter("lora[r=8,lora_alpha=16]");

await main(JSON.parse(process.argv[2]!) as Job);

async function main({ shape, length, targets, steps, threads, compute, keeping }: Job): Promise<void> {
  const random = createRandom(1);
  const { model, read } = createRandomModel(shape);
  const adapter = createAdapter(LORA, { model, read }, random);
  const device = { threads, arena: true };
  const engine = new Engine({ model, read, adapter, trainable: "adapter", device, compute, keeping });
  const sequence = () => {
    const ids = Int32Array.from({ length }, () => random.below(model.vocab_size));
    return { ids, promptLength: length - targets };
  };
  await engine.prepare([sequence(), sequence()]);
  const adamw = createAdamw(engine.trained);
  const options = { ...defaultsOf(adamwOptions), learning_rate: 3e-4 };
  for (let step = 0; step <= steps; step++) {
    const example = sequence();
    const measured = stopwatch();
    const [batch] = packBatches([example], 1);
    const loss = (await engine.accumulate(batch!)) / targets;
    const scale = clipFactor(gradientNorm(engine.trained, 1 / targets), 1) / targets;
    stepAdamw(adamw, engine.trained, { ...options, scale });
    engine.clearGradients();
    const { seconds, ...rest } = measured();
    if (step > 0) console.log(JSON.stringify({ tokens_per_second: length / seconds, loss, ...rest }));
  }
  await engine.dispose();
}
