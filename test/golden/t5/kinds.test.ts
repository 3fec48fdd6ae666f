// Every kind of adapter on tiny T5s against PEFT and adapters: loss and every gradient of a padded batch, ten steps of
// AdamW and Adafactor under both schedules. kinds.py beside this made the numbers; every weight: models/t5.test.ts.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { hubName } from "../../../src/adapters/hub.ts";
import { openAdapter } from "../../../src/adapters/open.ts";
import { createAnyModel } from "../../../src/models/table.ts";
import { type Sequence, targetCount } from "../../../src/training/batch.ts";
import { type Network, openNetwork } from "../../../src/training/network.ts";
import { optimizers } from "../../../src/training/optimizer.ts";
import { type ScheduleName, scheduleFactor } from "../../../src/training/schedule.ts";
import { clipFactor, gradientNorm } from "../../../src/training/trained.ts";
import { openFolder } from "../../../src/weights/folder.ts";
import { openSafetensors } from "../../../src/weights/safetensors.ts";

const HERE = new URL("./", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${HERE}${path}`, "utf8"));
const file = json("kinds/sequences.json");
const sequences: Sequence[] = file.sequences.map((s: { ids: number[]; promptLength: number }) => ({
  ids: Int32Array.from(s.ids),
  promptLength: s.promptLength,
}));
const pick = (indices: readonly number[]) => indices.map((i) => sequences[i]!);
const NAMES = readdirSync(`${HERE}kinds`)
  .filter((name) => !name.includes("."))
  .sort();

type Case = {
  readonly network: Network;
  readonly keyOf: (name: string) => string;
  readonly expected: Expected;
};
type Step = { readonly loss: number; readonly gradNorm: number; readonly learningRate: number };
type Expected = {
  readonly base: string;
  readonly loss: number;
  readonly adafactorRate: number;
  readonly runs: Readonly<Record<string, readonly Step[]>>;
};

function open(name: string): Case {
  const expected = json(`kinds/${name}/expected.json`) as Expected;
  const { config, read } = openFolder(`${HERE}${expected.base}`);
  const model = createAnyModel(config);
  const folder = `${HERE}kinds/${name}/adapter`;
  const adapter = openAdapter(folder, { model, read });
  const isPeft = existsSync(`${folder}/adapter_model.safetensors`);
  const network = openNetwork({
    ...{ model, read, adapter, trainable: "adapter" },
    device: { threads: 1, arena: true },
  });
  const keyOf = (array: string) => (isPeft ? `base_model.model.${array}` : hubName(array, model, "code"));
  return { network, keyOf, expected };
}

/** Largest difference over the largest magnitude of an array. */
function relative(found: Float32Array, wanted: Float32Array): number {
  assert.equal(found.length, wanted.length);
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0) / (size || 1);
}

function assertArrays({ network, keyOf }: Case, path: string, value: (name: string) => Float32Array): void {
  const golden = openSafetensors(`${HERE}kinds/${path}`);
  const names = [...network.trained.keys()];
  assert.deepEqual(names.map(keyOf).sort(), [...golden.arrays.keys()].sort());
  for (const name of names) {
    const difference = relative(value(name), golden.read(keyOf(name)));
    assert.ok(difference < 1e-4, `${path}: ${name}: relative difference ${difference}`);
  }
  golden.dispose();
}

function assertNear(found: number, wanted: number, what: string): void {
  assert.ok(Math.abs(found - wanted) <= 1e-4 * Math.abs(wanted), `${what} ${found}, expected ${wanted}`);
}

for (const name of NAMES) {
  for (const rows of [1, 5]) {
    test(`${name}: loss and gradients, ${rows} pairs a batch`, async () => {
      const opened = open(name);
      const { network, expected } = opened;
      const members = pick(file.batch);
      const targets = members.reduce((n, sequence) => n + targetCount(sequence), 0);
      let nll = 0;
      for (const batch of network.pack(members, rows)) nll += await network.accumulate(batch);
      assertNear(nll / targets, expected.loss, "loss");
      assertArrays(opened, `${name}/gradients.safetensors`, (array) =>
        network.trained.get(array)!.gradient.map((value) => value / targets),
      );
      let measured = 0;
      for (const batch of network.pack(members, 2))
        for (const value of await network.evaluate(batch)) measured += value;
      assertNear(measured / targets, expected.loss, "measured loss");
      await network.dispose();
    });
  }

  for (const run of ["adamw cosine", "adamw linear", "adafactor cosine", "adafactor linear"]) {
    test(`${name}: ten steps, ${run}`, async () => {
      const opened = open(name);
      const [optimizer, schedule] = run.split(" ") as ["adamw" | "adafactor", ScheduleName];
      await train(opened, { optimizer, schedule, steps: opened.expected.runs[run]! });
      const path = `${name}/${optimizer}-${schedule}.safetensors`;
      assertArrays(opened, path, (array) => opened.network.trained.get(array)!.data);
      await opened.network.dispose();
    });
  }
}

type Trajectory = {
  readonly optimizer: "adamw" | "adafactor";
  readonly schedule: ScheduleName;
  readonly steps: readonly Step[];
};

async function train({ network, expected }: Case, { optimizer, schedule, steps }: Trajectory): Promise<void> {
  const rule = optimizers[optimizer === "adamw" ? "adamw_torch" : "adafactor"];
  const state = rule.create(network.trained);
  const { lr, betas, eps, weight_decay } = file.optimizer;
  for (const [step, window] of file.windows.entries()) {
    const members = pick(window.flat());
    const targets = members.reduce((n, sequence) => n + targetCount(sequence), 0);
    let nll = 0;
    for (const batch of network.pack(members, 2)) nll += await network.accumulate(batch);
    const norm = gradientNorm(network.trained, 1 / targets);
    const wanted = steps[step]!;
    assertNear(nll / targets, wanted.loss, `step ${step}: loss`);
    assertNear(norm, wanted.gradNorm, `step ${step}: norm`);
    const { warmupSteps: warmup_steps, steps: max_steps } = file.schedule;
    const factor = scheduleFactor({ name: schedule, warmup_steps, max_steps }, step);
    const learning_rate = (optimizer === "adamw" ? lr : expected.adafactorRate) * factor;
    assert.ok(Math.abs(learning_rate - wanted.learningRate) < 1e-9);
    rule.step(state, network.trained, {
      ...{ adam_beta1: betas[0], adam_beta2: betas[1], adam_epsilon: eps },
      ...{ scale_parameter: false, relative_step: false, learning_rate },
      weight_decay: optimizer === "adamw" ? weight_decay : 0,
      scale: clipFactor(norm, file.maxGradNorm) / targets,
    });
    network.clearGradients();
  }
}
