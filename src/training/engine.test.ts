// The engine against PyTorch and PEFT on a tiny Llama with grouped-query attention: loss, every gradient, ten
// optimizer steps. The golden numbers and the script that made them are in test/golden/llama.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readPeft } from "../adapters/peft.ts";
import { createModel } from "../models/table.ts";
import { collectGarbage } from "../runtime/garbage.ts";
import { openFolder } from "../weights/folder.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { createAdamw, stepAdamw } from "./adamw.ts";
import { packBatches, type Sequence, targetCount } from "./batch.ts";
import { Engine } from "./engine.ts";
import { SameLists } from "./same.ts";
import { scheduleFactor } from "./schedule.ts";
import { clipFactor, gradientNorm } from "./trained.ts";

const GOLDEN = new URL("../../test/golden/llama/", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${GOLDEN}${path}`, "utf8"));
const batchFile = json("batch.json");
const sequences: Sequence[] = batchFile.sequences.map((s: { ids: number[]; promptLength: number }) => ({
  ids: Int32Array.from(s.ids),
  promptLength: s.promptLength,
}));

function open(variant: string, kind: "adapter" | "full") {
  const source = openFolder(`${GOLDEN}${variant}`);
  const model = createModel(source.config);
  const adapter = kind === "adapter" ? readPeft(`${GOLDEN}${variant}/adapter`) : null;
  const trainable = kind === "adapter" ? "adapter" : "all";
  return new Engine({ model, read: source.read, adapter, trainable, device: { threads: 1, arena: true } });
}

/** Largest difference over the largest magnitude of an array. */
function relative(found: Float32Array, wanted: Float32Array): number {
  assert.equal(found.length, wanted.length);
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0) / (size || 1);
}

for (const variant of ["tied", "untied"]) {
  for (const rows of [1, 3]) {
    for (const kind of ["adapter", "full"] as const) {
      test(`loss and gradients, ${variant} head, ${kind}, ${rows} sequences a batch`, async () => {
        const engine = open(variant, kind);
        const members = batchFile.batch.map((i: number) => sequences[i]!) as Sequence[];
        const tokens = members.reduce((n, s) => n + targetCount(s), 0);
        let nll = 0;
        for (const batch of packBatches(members, rows)) nll += await engine.accumulate(batch);
        const expected = json(`${variant}/expected.json`);
        assert.equal(tokens, expected.targets);
        const loss = expected.loss[kind === "adapter" ? "lora" : "base"];
        assert.ok(Math.abs(nll / tokens - loss) / loss < 1e-5, `loss ${nll / tokens}, expected ${loss}`);
        const file = kind === "adapter" ? "lora_gradients" : "full_gradients";
        const golden = openSafetensors(`${GOLDEN}${variant}/${file}.safetensors`);
        const prefix = kind === "adapter" ? "base_model.model." : "";
        assert.deepEqual(
          [...engine.trained.keys()].map((n) => prefix + n).sort(),
          [...golden.arrays.keys()].sort(),
        );
        for (const [name, { gradient }] of engine.trained) {
          const difference = relative(
            gradient.map((g) => g / tokens),
            golden.read(prefix + name),
          );
          assert.ok(difference < 1e-4, `${name}: relative difference ${difference}`);
        }
        await engine.dispose();
      });
    }
  }

  test(`ten AdamW steps, ${variant} head`, async () => {
    const engine = open(variant, "adapter");
    const state = createAdamw(engine.trained);
    const expected = json(`${variant}/expected.json`);
    const { optimizer, schedule, maxGradNorm, windows } = batchFile;
    for (const [step, window] of windows.entries()) {
      let nll = 0;
      let tokens = 0;
      for (const micro of window) {
        const members = micro.map((i: number) => sequences[i]!) as Sequence[];
        tokens += members.reduce((n, s) => n + targetCount(s), 0);
        for (const batch of packBatches(members, members.length)) nll += await engine.accumulate(batch);
      }
      const norm = gradientNorm(engine.trained, 1 / tokens);
      const rate =
        optimizer.lr *
        scheduleFactor(
          { name: "cosine", warmup_steps: schedule.warmupSteps, max_steps: schedule.steps },
          step,
        );
      const wanted = expected.steps[step];
      assert.ok(
        Math.abs(nll / tokens - wanted.loss) / wanted.loss < 1e-4,
        `step ${step}: loss ${nll / tokens}, expected ${wanted.loss}`,
      );
      assert.ok(
        Math.abs(norm - wanted.gradNorm) / wanted.gradNorm < 1e-4,
        `step ${step}: norm ${norm}, expected ${wanted.gradNorm}`,
      );
      assert.ok(Math.abs(rate - wanted.learningRate) < 1e-9);
      stepAdamw(state, engine.trained, {
        adam_beta1: optimizer.betas[0],
        adam_beta2: optimizer.betas[1],
        adam_epsilon: optimizer.eps,
        weight_decay: optimizer.weight_decay,
        learning_rate: rate,
        scale: clipFactor(norm, maxGradNorm) / tokens,
      });
      for (const { gradient } of engine.trained.values()) gradient.fill(0);
    }
    const golden = openSafetensors(`${GOLDEN}${variant}/trained.safetensors`);
    for (const [name, { data }] of engine.trained) {
      const difference = relative(data, golden.read(`base_model.model.${name}`));
      assert.ok(difference < 1e-4, `${name}: relative difference ${difference}`);
    }
    await engine.dispose();
  });
}

/** As many arrays of layers as were read and are still held. */
async function heldOf(refs: readonly WeakRef<Float32Array>[]): Promise<number> {
  // Garbage of the run that is just over goes in the next turn of the event loop.
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    collectGarbage();
  }
  return refs.filter((ref) => ref.deref() !== undefined).length;
}

test("weights that are read anew are let go of after every run, and after the check of rounded ones", async () => {
  const source = openFolder(`${GOLDEN}untied`);
  const model = createModel(source.config);
  const refs: WeakRef<Float32Array>[] = [];
  const read = (name: string) => {
    const data = Float32Array.from(source.read(name));
    if (name.includes(".layers.")) refs.push(new WeakRef(data));
    return data;
  };
  const parts = { model, read, adapter: readPeft(`${GOLDEN}untied/adapter`) };
  const device = { threads: 1, arena: true };
  const streams = new Engine({ ...parts, trainable: "adapter", streams: true, device });
  const [batch] = packBatches(sequences.slice(0, 1), 1);
  for (let step = 0; step < 2; step++) {
    await streams.accumulate(batch!);
    assert.ok(refs.length > 0);
    assert.equal(await heldOf(refs), 0, `after step ${step}`);
  }
  const like = new Engine({ ...parts, trainable: "none", like: streams, device });
  await like.evaluate(batch!);
  assert.equal(await heldOf(refs), 0, "after what uses the weights of another engine");
  await like.dispose();
  await streams.dispose();
  refs.length = 0;
  const rounded = new Engine({ ...parts, trainable: "adapter", compute: "int8", trusted: true, device });
  await rounded.prepare(sequences);
  await rounded.accumulate(batch!);
  // Norms and biases stay as they were read.
  const plain = model.blockParameters.filter(({ shape }) => shape.length === 1).length;
  assert.ok((await heldOf(refs)) <= plain * model.num_hidden_layers);
  assert.ok(refs.length > plain * model.num_hidden_layers);
  await rounded.dispose();
});

test("what programs are given is looked through in the first step and not again, whether gradients are added or not", async (t) => {
  const engine = open("tied", "adapter");
  const [batch] = packBatches(sequences.slice(0, 1), 1);
  const seen = t.mock.method(SameLists.prototype, "of");
  const step = async () => {
    for (let i = 0; i < 3; i++) await engine.accumulate(batch!);
    engine.clearGradients();
  };
  await step();
  seen.mock.resetCalls();
  await step();
  const calls = seen.mock.calls.map(({ arguments: [place, given], result }) => ({ place, given, result }));
  assert.ok(calls.length > 10);
  assert.deepEqual(
    calls.filter(({ given, result }) => given === result).map(({ place }) => place),
    [],
  );
  await engine.dispose();
});
