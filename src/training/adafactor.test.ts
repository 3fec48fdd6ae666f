// Adafactor against transformers' numbers, as its Trainer makes it and with the class's own defaults; test/golden/optim
// has them and what made them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createAdafactor, stepAdafactor } from "./adafactor.ts";
import type { Trained } from "./trained.ts";

const path = new URL("../../test/golden/optim/adafactor.json", import.meta.url);
type Named = Readonly<Record<string, number[]>>;
type Case = {
  readonly name: string;
  readonly options: {
    scale_parameter: boolean;
    relative_step: boolean;
    beta1?: number;
    weight_decay?: number;
  };
  readonly shapes: Named;
  readonly start: Named;
  readonly steps: readonly { learningRate: number | null; gradients: Named; values: Named }[];
};

for (const { name, options, shapes, start, steps } of JSON.parse(readFileSync(path, "utf8")) as Case[]) {
  for (const scale of [1, 0.25]) {
    test(`Adafactor, ${name}, gradients scaled by ${scale}`, () => {
      const trained = new Map<string, Trained>(
        Object.entries(start).map(([key, values]) => [
          key,
          {
            shape: shapes[key]!,
            data: Float32Array.from(values),
            gradient: new Float32Array(values.length),
          },
        ]),
      );
      const state = createAdafactor(trained, options);
      const weight_decay = options.weight_decay ?? 0;
      for (const { learningRate, gradients, values } of steps) {
        for (const [key, { gradient }] of trained) gradient.set(gradients[key]!.map((g) => g / scale));
        stepAdafactor(state, trained, {
          ...options,
          weight_decay,
          learning_rate: learningRate ?? Number.NaN,
          scale,
        });
        // transformers decays every array; here only matrices are.
        for (const key of weight_decay > 0 ? ["matrix"] : ["matrix", "vector"]) {
          trained.get(key)!.data.forEach((value, i) => {
            const wanted = values[key]![i]!;
            const message = `step ${state.step} ${key}[${i}]: ${value}, expected ${wanted}`;
            assert.ok(Math.abs(value - wanted) <= 2e-6 * Math.max(1, Math.abs(wanted)), message);
          });
        }
      }
      assert.equal(state.step, steps.length);
    });
  }
}

test("of a matrix only a row and a column are kept", () => {
  const array = { shape: [300, 200], data: new Float32Array(60000), gradient: new Float32Array(60000) };
  const { arrays } = createAdafactor(new Map([["w", array]]));
  assert.deepEqual(
    [...arrays].map(([name, { shape }]) => [name, shape]),
    [
      ["exp_avg_sq_row.w", [300]],
      ["exp_avg_sq_col.w", [200]],
    ],
  );
});

test("of a stack of matrices each has its own rows and columns, as XLNet's projections are", () => {
  const data = Float32Array.from({ length: 12 }, (_, i) => ((i % 7) - 3) / 8);
  const trained = new Map([["o", { shape: [2, 2, 3], data, gradient: new Float32Array(12) }]]);
  const state = createAdafactor(trained);
  const options = { scale_parameter: false, relative_step: false, weight_decay: 0 };
  for (const step of [1, 2]) {
    trained.get("o")!.gradient.forEach((_, i, gradient) => {
      gradient[i] = (((i * 5 + step) % 11) - 5) / 16;
    });
    stepAdafactor(state, trained, { ...options, learning_rate: 0.1, scale: 1 });
  }
  // transformers 5.23.0: Adafactor(lr=0.1, scale_parameter=False, relative_step=False).
  const wanted = [
    ...[-0.135657, -0.325245, 0.117438, -0.043065, 0.111316, 0.281716],
    ...[0.137638, -0.232084, -0.438699, 0.019891, -0.255559, 0.332241],
  ];
  for (const [i, value] of wanted.entries()) {
    assert.ok(Math.abs(data[i]! - value) < 2e-6, `${i}: ${data[i]}, not ${value}`);
  }
});
