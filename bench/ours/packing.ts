// One side of the bench `packing`: optimizer steps over a dataset's examples, packed, alone or padded, as JSON lines.

import { createAdapter } from "../../src/adapters/create.ts";
import { parseAdapter } from "../../src/adapters/options.ts";
import { defaultsOf } from "../../src/base/options.ts";
import { createRandom } from "../../src/base/random.ts";
import { renderFitting } from "../../src/dataset/fitting.ts";
import { formats } from "../../src/dataset/format.ts";
import { readExamples } from "../../src/dataset/store.ts";
import { type Base, openBase } from "../../src/generation/base.ts";
import { adamwOptions, createAdamw, stepAdamw } from "../../src/training/adamw.ts";
import { type Sequence, targetWeight } from "../../src/training/batch.ts";
import { type Compute, Engine } from "../../src/training/engine.ts";
import { planFit } from "../../src/training/fit.ts";
import { choosePacking } from "../../src/training/packing.ts";
import { shapeOf } from "../../src/training/plan.ts";
import { clipFactor, gradientNorm } from "../../src/training/trained.ts";
import { stopwatch } from "./stopwatch.ts";

type Job = {
  readonly mode: "packed" | "alone" | "padded";
  readonly model: string;
  readonly dataset: string;
  readonly length: number;
  readonly row: number;
  readonly window: number;
  readonly steps: number;
  readonly threads: number;
  readonly compute: Compute;
  readonly memory: number;
};

const LORA = parseAdapter("lora[r=8,lora_alpha=16]");
const WARM_UP = 2;

await main(JSON.parse(process.argv[2]!) as Job);

async function main(job: Job): Promise<void> {
  const { mode, window, steps, length } = job;
  const base = openBase(job.model);
  const sequences = await sequencesOf(base, job);
  const engine = openEngine(base, sequences, job);
  await engine.prepare(sequences);
  const adamw = createAdamw(engine.trained);
  const order = createRandom(1).shuffle([...sequences.keys()]);
  for (let step = 0; step < steps + WARM_UP; step++) {
    const at = (i: number) => sequences[order[(step * window + i) % order.length]!]!;
    const members = Array.from({ length: window }, (_, i) => at(i));
    const measured = stopwatch();
    let [nll, computed] = [0, 0];
    for (const batch of engine.pack(members, mode === "padded" ? window : 1)) {
      nll += await engine.accumulate(batch);
      computed += batch.ids.length;
    }
    const weight = targetWeight(members);
    const scale = clipFactor(gradientNorm(engine.trained, 1 / weight), 1) / weight;
    stepAdamw(adamw, engine.trained, { ...defaultsOf(adamwOptions), learning_rate: 3e-4, scale });
    engine.clearGradients();
    const { seconds, ...rest } = measured();
    if (step < WARM_UP) continue;
    const tokens = members.reduce((n, { ids }) => n + ids.length, 0);
    const figures = { tokens_per_second: tokens / seconds, filled: tokens / computed, loss: nll / weight };
    console.log(JSON.stringify({ ...figures, tokens: tokens / window, length, ...rest }));
  }
  await engine.dispose();
  base.source.dispose();
}

async function sequencesOf({ tokenizer }: Base, { dataset, length }: Job): Promise<Sequence[]> {
  const rule = { tokenizer, format: formats.region, max_files: 1, purpose: "train" } as const;
  const lengths = { max_length: length, max_in_len: null, max_out_len: null };
  const rendering = renderFitting(readExamples(dataset, "train"), { ...rule, ...lengths }, (one) => one);
  for (;;) {
    const next = await rendering.next();
    if (next.done) return [...next.value.items];
  }
}

function openEngine({ model, source }: Base, sequences: readonly Sequence[], job: Job): Engine {
  const { mode, threads, memory, compute, window } = job;
  const length = mode === "packed" ? job.row : job.length;
  if (model.kind !== "decoder") throw new Error("Expected a decoder");
  // What is rounded is not kept as it was read.
  const read = (name: string) => source.read(name);
  const adapter = createAdapter(LORA, { model, read }, createRandom(1));
  const sizes = { ...shapeOf(model, adapter, "adamw_torch"), model, compute };
  const per_device_train_batch_size = mode === "padded" ? window : 1;
  const wish = { max_length: length, per_device_train_batch_size, memory: null };
  const { sizes: plan, kept, held_rows } = planFit({ shape: sizes, adapter: LORA }, wish, memory);
  const { keeping, kept_layers, once = false } = kept;
  const dials = { compute, keeping, kept_layers, once, held_rows };
  const packing = choosePacking(sequences, length, mode === "packed");
  const device = { threads, arena: plan.arena };
  return new Engine({ model, read, adapter, trainable: "adapter", device, packing, ...dials });
}
