// LoRA and DoRA as arithmetic, on numbers small enough to work out by hand, and which layers get them. Equality with
// PEFT is in test/adapters.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import { layersOf } from "../../test/layers.ts";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { input } from "../graph/tensor.ts";
import type { LoraConfig } from "./adapter.ts";
import { createAdapter } from "./create.ts";
import { frozenArrays } from "./frozen.ts";
import { adapterParameters, blockHooks } from "./hooks.ts";
import { loraScale, targetsOf } from "./lora.ts";
import { parseAdapter } from "./options.ts";

const lora = (options: string) => parseAdapter(`lora[${options}]`) as LoraConfig;
const linears = [
  { name: "self_attn.q_proj", shape: [6, 3] },
  { name: "self_attn.k_proj", shape: [2, 3] },
  { name: "mlp.down_proj", shape: [3, 5] },
];
const model = layersOf(linears);
const none = () => assert.fail("no weight is needed");

test("scale is lora_alpha / r, or lora_alpha / sqrt(r)", () => {
  assert.equal(loraScale({ r: 4, lora_alpha: 8, use_rslora: false }), 2);
  assert.equal(loraScale({ r: 4, lora_alpha: 8, use_rslora: true }), 4);
});

test("targets by last part, by whole name, or all, in the model's order", () => {
  const names = (target_modules: readonly string[]) =>
    targetsOf({ target_modules }, linears).map(({ name }) => name);
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

test("shapes of A, B and the magnitudes, on the layers meant", () => {
  const config = lora("r=4, target_modules=[q_proj], layers_to_transform=[1], use_dora=true");
  assert.deepEqual(adapterParameters(model, config, 0), []);
  assert.deepEqual(adapterParameters(model, config, 1), [
    { name: "self_attn.q_proj.lora_A.weight", shape: [4, 3] },
    { name: "self_attn.q_proj.lora_B.weight", shape: [6, 4] },
    { name: "self_attn.q_proj.lora_magnitude_vector", shape: [6] },
  ]);
});

test("a fresh adapter: A within 1/sqrt(in) and spread over it, B zero, the same for the same seed", () => {
  const wide = layersOf([{ name: "mlp.up_proj", shape: [8, 256] }]);
  const create = (seed: number) =>
    createAdapter(lora("r=4"), { model: wide, read: none }, createRandom(seed)).arrays;
  const arrays = create(7);
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
  assert.deepEqual(create(7), arrays);
  assert.notDeepEqual(create(8), arrays);
});

const small = layersOf([
  { name: "q_proj", shape: [2, 2] },
  { name: "k_proj", shape: [2, 2] },
]);
const numbers = {
  x: [1, 10],
  "q_proj.weight": [3, 0, 0, 4],
  "k_proj.weight": [2, 0, 0, 2],
  "q_proj.lora_A.weight": [2, 1],
  "q_proj.lora_B.weight": [1, -1],
  "q_proj.lora_magnitude_vector": [1, 2],
};

async function outputs(config: LoraConfig, given: typeof numbers, frozen = false) {
  const hooks = blockHooks(small, config, { layer: 0, frozen });
  const [q, k] = hooks.linear(input("x", "float32", [1, 2]), ["q_proj", "k_proj"]);
  const results = await evaluate({ q: q!, k: k! }, given);
  return { q: numbersOf(results, "q"), k: numbersOf(results, "k") };
}

test("y = Wx + s·B(Ax) on targeted layers, y = Wx on the others", async () => {
  const { q, k } = await outputs(lora("r=1, lora_alpha=3, target_modules=[q_proj]"), numbers);
  assert.deepEqual(q, [3 + 3 * 12, 40 - 3 * 12]);
  assert.deepEqual(k, [2, 20]);
});

test("DoRA: each row by its magnitude over its length, the same when that is computed beforehand", async () => {
  const config = lora("r=1, lora_alpha=1, target_modules=[q_proj], use_dora=true");
  const wanted = [(3 + 12) / Math.hypot(5, 1), (2 * (40 - 12)) / Math.hypot(-2, 3)];
  const near = (found: number[]) =>
    found.forEach((value, i) => void assert.ok(Math.abs(value - wanted[i]!) < 1e-5, `${found}`));
  near((await outputs(config, numbers)).q);
  const arrays = new Map(
    [
      ["lora_A.weight", [1, 2]] as const,
      ["lora_B.weight", [2, 1]] as const,
      ["lora_magnitude_vector", [2]] as const,
    ].map(([part, shape]) => {
      const data = Float32Array.from(numbers[`q_proj.${part}` as keyof typeof numbers]);
      return [`q_proj.${part}`, { shape, data }];
    }),
  );
  const ready = frozenArrays({ config, arrays }, () => Float32Array.of(3, 0, 0, 4));
  const magnitudes = [...ready.get("q_proj.lora_magnitude_vector")!.data];
  near((await outputs(config, { ...numbers, "q_proj.lora_magnitude_vector": magnitudes }, true)).q);
});
