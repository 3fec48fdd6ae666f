// The engine against PyTorch and PEFT on a tiny Llama with grouped-query attention: loss, every gradient, ten
// optimizer steps. The golden numbers and the script that made them are in test/golden/llama.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readPeft } from "../adapters/peft.ts";
import { createModel } from "../models/table.ts";
import { openFolder } from "../weights/folder.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { createAdamw, stepAdamw } from "./adamw.ts";
import { packBatches, type Sequence, targetCount } from "./batch.ts";
import { Engine } from "./engine.ts";
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
