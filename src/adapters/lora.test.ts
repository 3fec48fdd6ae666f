// LoRA as arithmetic, on numbers small enough to work out by hand, and which layers get it. Equality with PEFT is in
// training/engine.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { linear } from "../graph/build.ts";
import { input } from "../graph/tensor.ts";
import type { LoraConfig } from "./adapter.ts";
import { createLora, loraScale, loraShapes, targetsOf, withLora } from "./lora.ts";

const config: LoraConfig = {
  kind: "lora",
  r: 4,
  lora_alpha: 8,
  use_rslora: false,
  target_modules: ["all-linear"],
};
const linears = [
  { name: "self_attn.q_proj", shape: [6, 3] },
  { name: "self_attn.k_proj", shape: [2, 3] },
  { name: "mlp.down_proj", shape: [3, 5] },
];
const model = { linears, num_hidden_layers: 2, blockPrefix: (layer: number) => `model.layers.${layer}.` };

test("scale is lora_alpha / r, or lora_alpha / sqrt(r)", () => {
  assert.equal(loraScale(config), 2);
  assert.equal(loraScale({ ...config, use_rslora: true }), 4);
});

test("targets by last part, by whole name, or all, in the model's order", () => {
  const names = (target_modules: readonly string[]) =>
    targetsOf({ ...config, target_modules }, linears).map(({ name }) => name);
  assert.deepEqual(names(["all-linear"]), ["self_attn.q_proj", "self_attn.k_proj", "mlp.down_proj"]);
  assert.deepEqual(names(["down_proj", "q_proj"]), ["self_attn.q_proj", "mlp.down_proj"]);
  assert.deepEqual(names(["self_attn.k_proj"]), ["self_attn.k_proj"]);
  assert.throws(
    () => names(["q_proj", "dwn_proj", "w1"]),
    (error) =>
      error instanceof UserError &&
      /among q_proj, k_proj, down_proj, found dwn_proj, w1.*did you mean down_proj/.test(error.message),
  );
  assert.throws(() => names(["proj"]), UserError, "a part of a name is no name");
});

test("shapes of A and B", () => {
  assert.deepEqual(loraShapes(config, linears[0]!), [
    { name: "self_attn.q_proj.lora_A.weight", shape: [4, 3] },
    { name: "self_attn.q_proj.lora_B.weight", shape: [6, 4] },
  ]);
});

test("a fresh adapter: A within 1/sqrt(in) and spread over it, B zero, the same for the same seed", () => {
  const wide = { ...model, linears: [{ name: "mlp.up_proj", shape: [8, 256] }] };
  const { arrays } = createLora(config, wide, createRandom(7));
  assert.deepEqual(
    [...arrays].map(([name, { shape }]) => `${name} [${shape}]`),
    [0, 1].flatMap((layer) => [
      `model.layers.${layer}.mlp.up_proj.lora_A.weight [4,256]`,
      `model.layers.${layer}.mlp.up_proj.lora_B.weight [8,4]`,
    ]),
  );
  const a = arrays.get("model.layers.1.mlp.up_proj.lora_A.weight")!.data;
  assert.ok(a.every((value) => Math.abs(value) <= 1 / 16));
  const deviation = Math.sqrt(a.reduce((total, value) => total + value * value, 0) / a.length);
  assert.ok(Math.abs(deviation - 1 / 16 / Math.sqrt(3)) < 0.002, `deviation ${deviation}`);
  assert.ok(arrays.get("model.layers.0.mlp.up_proj.lora_B.weight")!.data.every((value) => value === 0));
  assert.notDeepEqual(arrays.get("model.layers.0.mlp.up_proj.lora_A.weight")!.data, a);
  assert.deepEqual(createLora(config, wide, createRandom(7)).arrays, arrays);
  assert.notDeepEqual(createLora(config, wide, createRandom(8)).arrays, arrays);
});

test("y = Wx + s·B(Ax) on targeted layers, y = Wx on the others", async () => {
  const shapes: Readonly<Record<string, readonly number[]>> = {
    "q_proj.lora_A.weight": [1, 2],
    "q_proj.lora_B.weight": [2, 1],
  };
  const hook = withLora({ ...config, r: 1, lora_alpha: 3 }, [{ name: "q_proj", shape: [2, 2] }], {
    linear: (x, names) => names.map((name) => linear(x, input(name, "float32", [2, 2]))),
    parameter: (name) => input(name, "float32", shapes[name]!),
  });
  const [q, k] = hook(input("x", "float32", [1, 2]), ["q_proj", "k_proj"]);
  const results = await evaluate(
    { q: q!, k: k! },
    {
      x: [1, 10],
      q_proj: [1, 0, 0, 1],
      k_proj: [2, 0, 0, 2],
      "q_proj.lora_A.weight": [2, 1],
      "q_proj.lora_B.weight": [1, -1],
    },
  );
  assert.deepEqual(numbersOf(results, "q"), [1 + 3 * 12, 10 - 3 * 12]);
  assert.deepEqual(numbersOf(results, "k"), [2, 20]);
});
