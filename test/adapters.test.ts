// Every kind of adapter against PEFT and adapters on tiny Llamas: output, every gradient, ten optimizer steps. The
// golden numbers and the script that made them are in test/golden/adapters.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { Adapter } from "../src/adapters/adapter.ts";
import { hubName } from "../src/adapters/hub.ts";
import { openAdapter } from "../src/adapters/open.ts";
import { Decoder } from "../src/generation/decoder.ts";
import type { Model } from "../src/models/model.ts";
import { createModel } from "../src/models/table.ts";
import { createAdafactor, stepAdafactor } from "../src/training/adafactor.ts";
import { createAdamw, stepAdamw } from "../src/training/adamw.ts";
import { packBatches, type Sequence, targetCount } from "../src/training/batch.ts";
import { Engine } from "../src/training/engine.ts";
import { scheduleFactor } from "../src/training/schedule.ts";
import { clipFactor, gradientNorm } from "../src/training/trained.ts";
import { openFolder } from "../src/weights/folder.ts";
import { openSafetensors } from "../src/weights/safetensors.ts";

const GOLDEN = new URL("golden/", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${GOLDEN}${path}`, "utf8"));
const batchFile = json("llama/batch.json");
const sequences: Sequence[] = batchFile.sequences.map((s: { ids: number[]; promptLength: number }) => ({
  ids: Int32Array.from(s.ids),
  promptLength: s.promptLength,
}));
const device = { threads: 1, arena: true };
const cases = readdirSync(`${GOLDEN}adapters`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

function open(name: string) {
  const expected = json(`adapters/${name}/expected.json`);
  const source = openFolder(`${GOLDEN}llama/${expected.base}`);
  const model = createModel(source.config);
  const adapter = openAdapter(`${GOLDEN}adapters/${name}/adapter`, { model, read: source.read });
  return { expected, model, read: source.read, adapter };
}

/** One of our arrays as the library that made the golden numbers calls it. */
function keyOf(name: string, found: { adapter: Adapter; model: Model; hub: boolean }): string {
  return found.hub ? hubName(name, found.model, "code") : `base_model.model.${name}`;
}

/** `bound` is of the largest value: single ones near zero are differences of larger ones in either library. */
type Bound = { readonly what: string; readonly bound: number };

function requireNear(found: ArrayLike<number>, wanted: ArrayLike<number>, { what, bound }: Bound): void {
  assert.equal(found.length, wanted.length, what);
  let [size, difference] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    size = Math.max(size, Math.abs(wanted[i]!));
    difference = Math.max(difference, Math.abs(found[i]! - wanted[i]!));
  }
  assert.ok(difference <= bound * (size || 1), `${what}: differs by ${difference} of ${size}`);
}

for (const name of cases) {
  const hub = !json(`adapters/${name}/adapter/adapter_config.json`).peft_type;
  const golden = (file: string) => openSafetensors(`${GOLDEN}adapters/${name}/${file}.safetensors`);

  test(`${name}: logits, one position after another`, async () => {
    const { model, read, adapter } = open(name);
    const decoder = new Decoder({ model, read, adapter, capacity: 32, device });
    const rows: number[] = [];
    for (const id of sequences[batchFile.batch[0]]!.ids) rows.push(...(await decoder.append([id])));
    requireNear(rows, golden("logits").read("logits"), { what: "logits", bound: 1e-4 });
    await decoder.dispose();
  });

  // The norm of a DoRA is held constant in PEFT, as in the paper, but not in adapters: there only outputs compare.
  if (name === "hub-dora") continue;

  test(`${name}: loss and every gradient`, async () => {
    const { expected, model, read, adapter } = open(name);
    const engine = new Engine({ model, read, adapter, trainable: "adapter", device });
    const members = batchFile.batch.map((i: number) => sequences[i]!) as Sequence[];
    const tokens = members.reduce((n, s) => n + targetCount(s), 0);
    let nll = 0;
    for (const batch of packBatches(members, 2)) nll += await engine.accumulate(batch);
    requireNear([nll / tokens], [expected.loss], { what: "loss", bound: 1e-5 });
    const gradients = golden("gradients");
    const key = (array: string) => keyOf(array, { adapter, model, hub });
    assert.deepEqual([...engine.trained.keys()].map(key).sort(), [...gradients.arrays.keys()].sort());
    for (const [array, { gradient }] of engine.trained) {
      const mean = gradient.map((g) => g / tokens);
      requireNear(mean, gradients.read(key(array)), { what: array, bound: 1e-4 });
    }
    await engine.dispose();
  });

  for (const optimizer of ["adamw", "adafactor"] as const) {
    for (const schedule of ["cosine", "linear"] as const) {
      test(`${name}: ten steps of ${optimizer}, ${schedule} schedule`, async () => {
        const { expected, model, read, adapter } = open(name);
        const engine = new Engine({ model, read, adapter, trainable: "adapter", device });
        const run = { optimizer, schedule, adafactorRate: expected.adafactorRate };
        await takeSteps(engine, run, expected.runs[`${optimizer} ${schedule}`]);
        const trained = golden(`${optimizer}-${schedule}`);
        for (const [array, { data }] of engine.trained) {
          const wanted = trained.read(keyOf(array, { adapter, model, hub }));
          requireNear(data, wanted, { what: array, bound: 1e-4 });
        }
        await engine.dispose();
      });
    }
  }
}

type Run = {
  readonly optimizer: "adamw" | "adafactor";
  readonly schedule: "cosine" | "linear";
  readonly adafactorRate: number;
};

type Step = { readonly loss: number; readonly gradNorm: number; readonly learningRate: number };

async function takeSteps(engine: Engine, run: Run, expected: readonly Step[]): Promise<void> {
  const take = stepper(engine, run);
  const { warmupSteps, steps } = batchFile.schedule;
  for (const [step, window] of batchFile.windows.entries()) {
    let [nll, tokens] = [0, 0];
    for (const micro of window) {
      const members = micro.map((i: number) => sequences[i]!) as Sequence[];
      tokens += members.reduce((n, s) => n + targetCount(s), 0);
      // One at a time: batches of one shape are one program.
      for (const batch of packBatches(members, 1)) nll += await engine.accumulate(batch);
    }
    const norm = gradientNorm(engine.trained, 1 / tokens);
    const peak = run.optimizer === "adamw" ? batchFile.optimizer.lr : run.adafactorRate;
    const schedule = { name: run.schedule, warmup_steps: warmupSteps, max_steps: steps };
    const learning_rate = peak * scheduleFactor(schedule, step);
    const wanted = expected[step]!;
    requireNear([nll / tokens], [wanted.loss], { what: `loss of step ${step}`, bound: 1e-4 });
    requireNear([norm], [wanted.gradNorm], { what: `norm of step ${step}`, bound: 1e-4 });
    requireNear([learning_rate], [wanted.learningRate], { what: `rate of step ${step}`, bound: 1e-6 });
    take({ learning_rate, scale: clipFactor(norm, batchFile.maxGradNorm) / tokens });
    engine.clearGradients();
  }
}

type Given = { readonly learning_rate: number; readonly scale: number };

function stepper({ trained }: Engine, { optimizer }: Run): (given: Given) => void {
  if (optimizer === "adafactor") {
    const state = createAdafactor(trained);
    const options = { scale_parameter: false, relative_step: false, weight_decay: 0 };
    return (given) => stepAdafactor(state, trained, { ...options, ...given });
  }
  const state = createAdamw(trained);
  const { betas, eps, weight_decay } = batchFile.optimizer;
  const options = { adam_beta1: betas[0], adam_beta2: betas[1], adam_epsilon: eps, weight_decay };
  return (given) => stepAdamw(state, trained, { ...options, ...given });
}
