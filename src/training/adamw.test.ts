// The optimizer and gradient clipping against PyTorch's numbers; test/golden/optim has them and what made them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createAdamw, stepAdamw } from "./adamw.ts";
import { clipFactor, gradientNorm, type Trained } from "./trained.ts";

const golden = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../test/golden/optim/${name}.json`, import.meta.url), "utf8"));

function trainedOf(arrays: Record<string, number[]>, shapes: Record<string, number[]>): Map<string, Trained> {
  return new Map(
    Object.entries(arrays).map(([name, values]) => [
      name,
      { shape: shapes[name]!, data: Float32Array.from(values), gradient: new Float32Array(values.length) },
    ]),
  );
}

for (const { name, betas, eps, weightDecay, shapes, start, steps } of golden("adamw")) {
  for (const scale of [1, 0.25]) {
    test(`AdamW, ${name}, gradients scaled by ${scale}`, () => {
      const trained = trainedOf(start, shapes);
      const vector = trained.get("vector")!;
      // PyTorch decays every array; here only matrices are, so the vector is given as a matrix of one row.
      trained.set("vector", { ...vector, shape: [1, ...vector.shape] });
      const state = createAdamw(trained);
      for (const { learningRate, gradients, values } of steps) {
        for (const [key, { gradient }] of trained) gradient.set(gradients[key].map((g: number) => g / scale));
        stepAdamw(state, trained, {
          adam_beta1: betas[0],
          adam_beta2: betas[1],
          adam_epsilon: eps,
          weight_decay: weightDecay,
          learning_rate: learningRate,
          scale,
        });
        for (const [key, { data }] of trained) {
          data.forEach((value, i) => {
            const wanted = values[key][i];
            const message = `step ${state.step} ${key}[${i}]: ${value}, expected ${wanted}`;
            assert.ok(Math.abs(value - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted)), message);
          });
        }
      }
      assert.equal(state.step, steps.length);
    });
  }
}

test("arrays that are no matrices are not decayed", () => {
  const ones = () => ({ data: Float32Array.of(1, 1), gradient: new Float32Array(2) });
  const trained = new Map([
    ["norm", { shape: [2], ...ones() }],
    ["matrix", { shape: [1, 2], ...ones() }],
  ]);
  const options = { adam_beta1: 0.9, adam_beta2: 0.999, adam_epsilon: 1e-8, weight_decay: 0.1 };
  stepAdamw(createAdamw(trained), trained, { ...options, learning_rate: 0.5, scale: 1 });
  assert.deepEqual([...trained.get("norm")!.data], [1, 1]);
  assert.deepEqual([...trained.get("matrix")!.data], [Math.fround(0.95), Math.fround(0.95)]);
});

for (const { maxNorm, gradients, norm, clipped } of golden("clip")) {
  test(`clipping a norm of ${norm} to ${maxNorm}`, () => {
    const trained = new Map<string, Trained>(
      gradients.map((values: number[], i: number) => [
        String(i),
        {
          shape: [values.length],
          data: new Float32Array(values.length),
          gradient: Float32Array.from(values),
        },
      ]),
    );
    const found = gradientNorm(trained, 1);
    assert.ok(Math.abs(found - norm) <= 1e-6 * Math.max(norm, 1e-3), `${found}, expected ${norm}`);
    assert.ok(Math.abs(gradientNorm(trained, 0.5) - norm / 2) <= 1e-6 * Math.max(norm, 1e-3));
    const factor = clipFactor(found, maxNorm);
    gradients.flat().forEach((value: number, i: number) => {
      const wanted = clipped.flat()[i];
      assert.ok(Math.abs(value * factor - wanted) <= 1e-6 * Math.abs(wanted), `${value * factor}, ${wanted}`);
    });
  });
}

test("a limit of 0 is no limit", () => {
  assert.equal(clipFactor(1e9, 0), 1);
});
