// What a trainer adds to a plain loss, against transformers' numbers on a tiny Llama: label smoothing, examples that
// count differently, Adafactor under a linear schedule with clipping. make.py beside this made them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readPeft } from "../../../src/adapters/peft.ts";
import { createModel } from "../../../src/models/table.ts";
import { createAdafactor, stepAdafactor } from "../../../src/training/adafactor.ts";
import { packBatches, type Sequence, targetCount, targetWeight } from "../../../src/training/batch.ts";
import { Engine } from "../../../src/training/engine.ts";
import { scheduleFactor } from "../../../src/training/schedule.ts";
import { clipFactor, gradientNorm } from "../../../src/training/trained.ts";
import { openFolder } from "../../../src/weights/folder.ts";
import { openSafetensors } from "../../../src/weights/safetensors.ts";

const HERE = new URL("./", import.meta.url).pathname;
const LLAMA = `${HERE}../llama/`;
const expected = JSON.parse(readFileSync(`${HERE}expected.json`, "utf8"));
const batchFile = JSON.parse(readFileSync(`${LLAMA}batch.json`, "utf8"));
const sequences: Sequence[] = batchFile.sequences.map((s: { ids: number[]; promptLength: number }) => ({
  ids: Int32Array.from(s.ids),
  promptLength: s.promptLength,
}));
const members = batchFile.batch.map((i: number) => sequences[i]!) as Sequence[];

function open(label_smoothing = 0): Engine {
  const source = openFolder(`${LLAMA}tied`);
  const device = { threads: 1, arena: true };
  const adapter = readPeft(`${LLAMA}tied/adapter`);
  const model = createModel(source.config);
  return new Engine({ model, read: source.read, adapter, trainable: "adapter", device, label_smoothing });
}

function assertNear(
  found: Float32Array,
  wanted: Float32Array,
  { within, name }: { within: number; name: string },
) {
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
  assert.ok(difference / size < within, `${name}: relative difference ${difference / size}`);
}

function assertGradients(engine: Engine, file: string, scale: number): void {
  const golden = openSafetensors(`${HERE}${file}.safetensors`);
  assert.equal(golden.arrays.size, engine.trained.size);
  for (const [name, { gradient }] of engine.trained) {
    const wanted = golden.read(`base_model.model.${name}`);
    assertNear(
      gradient.map((g) => g / scale),
      wanted,
      { within: 1e-4, name },
    );
  }
  golden.dispose();
}

for (const rows of [1, 3]) {
  test(`label smoothing as transformers' LabelSmoother, ${rows} sequences a batch`, async () => {
    const engine = open(expected.smoothed.smoothing);
    let nll = 0;
    for (const batch of packBatches(members, rows)) nll += await engine.accumulate(batch);
    const targets = members.reduce((n, sequence) => n + targetCount(sequence), 0);
    assertGradients(engine, "smoothed", targets);
    const plain = JSON.parse(readFileSync(`${LLAMA}tied/expected.json`, "utf8")).loss.lora;
    assert.ok(Math.abs(nll / targets - plain) < 1e-5 * plain, "what is told is the plain loss");
    await engine.dispose();
  });

  test(`examples that count differently, ${rows} sequences a batch`, async () => {
    const engine = open();
    const { weights, loss } = expected.weighted;
    const weighted = members.map((sequence, i) => ({ ...sequence, weight: weights[i] as number }));
    let nll = 0;
    for (const batch of packBatches(weighted, rows)) nll += await engine.accumulate(batch);
    const found = nll / targetWeight(weighted);
    assert.ok(Math.abs(found - loss) < 1e-5 * loss, `loss ${found}, expected ${loss}`);
    assertGradients(engine, "weighted", targetWeight(weighted));
    await engine.dispose();
  });
}

test("ten steps of Adafactor, linear schedule with warm-up", async () => {
  const engine = open();
  const state = createAdafactor(engine.trained);
  const { learningRate, warmupSteps, maxGradNorm, steps } = expected.adafactor;
  for (const [step, window] of batchFile.windows.entries()) {
    const seen = window.flat().map((i: number) => sequences[i]!) as Sequence[];
    const targets = targetWeight(seen);
    let nll = 0;
    for (const batch of packBatches(seen, 2)) nll += await engine.accumulate(batch);
    const norm = gradientNorm(engine.trained, 1 / targets);
    const schedule = { name: "linear", warmup_steps: warmupSteps, max_steps: steps.length } as const;
    const learning_rate = learningRate * scheduleFactor(schedule, step);
    const wanted = steps[step];
    for (const [found, value] of [
      [nll / targets, wanted.loss],
      [norm, wanted.gradNorm],
    ]) {
      assert.ok(Math.abs(found! - value) < 1e-4 * value, `step ${step}: ${found}, expected ${value}`);
    }
    assert.ok(Math.abs(learning_rate - wanted.learningRate) < 1e-9);
    const scale = clipFactor(norm, maxGradNorm) / targets;
    const options = { scale_parameter: false, relative_step: false, weight_decay: 0, learning_rate, scale };
    stepAdafactor(state, engine.trained, options);
    engine.clearGradients();
  }
  const golden = openSafetensors(`${HERE}adafactor.safetensors`);
  for (const [name, { data }] of engine.trained) {
    assertNear(data, golden.read(`base_model.model.${name}`), { within: 1e-4, name });
  }
  golden.dispose();
  await engine.dispose();
});
