// Bottlenecks as arithmetic, on numbers small enough to work out by hand: what goes in, what is added, where they are.
// Equality with adapters is in test/adapters.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import { layersOf } from "../../test/layers.ts";
import { createRandom } from "../base/random.ts";
import { input } from "../graph/tensor.ts";
import type { BottleneckConfig } from "./adapter.ts";
import { createAdapter } from "./create.ts";
import { adapterParameters, blockHooks, outerParameters } from "./hooks.ts";
import { parseAdapter } from "./options.ts";

const model = layersOf([]);
const bottleneck = (text: string) => parseAdapter(text) as BottleneckConfig;

/** D takes the first value, U gives it to the second; both with a bias. */
const arrays = {
  "mlp.adapter_down.weight": [1, 0, 0, 0],
  "mlp.adapter_down.bias": [-1],
  "mlp.adapter_up.weight": [0, 10, 0, 0],
  "mlp.adapter_up.bias": [0, 0, 0, 100],
};
const x = [1, 2, 3, 4];
const f = [5, 0, 0, 0];

async function joined(text: string): Promise<number[]> {
  const hooks = blockHooks(model, bottleneck(text), { layer: 0 });
  const y = hooks.join("mlp", input("x", "float32", [1, 4]), input("f", "float32", [1, 4]));
  return numbersOf(await evaluate({ y }, { ...arrays, x, f }), "y");
}

test("seq_bn: its input is x + f, it is added to both", async () => {
  assert.deepEqual(await joined("seq_bn[reduction_factor=4]"), [6, 2 + 10 * (6 - 1), 3, 104]);
});

test("double_seq_bn: its input is f; with relu instead of swish", async () => {
  const found = await joined("houlsby[reduction_factor=4, non_linearity=relu]");
  assert.deepEqual(found, [6, 2 + 10 * (5 - 1), 3, 104]);
});

test("par_bn: its input is x, and its output, bias included, is scaled", async () => {
  const found = await joined("par_bn[reduction_factor=4, scaling=2]");
  assert.deepEqual(found, [6, 2 + 2 * 10 * 0, 3, 4 + 2 * 100]);
});

test("where they are: after attention too, not in layers that are left out, of the width each layer has", () => {
  const places = (text: string, layer: number) =>
    adapterParameters(model, bottleneck(text), layer)
      .filter(({ name }) => name.endsWith("down.weight"))
      .map(({ name, shape }) => `${name} [${shape}]`);
  assert.deepEqual(places("pfeiffer[reduction_factor=2]", 0), ["mlp.adapter_down.weight [2,4]"]);
  assert.deepEqual(places("houlsby[reduction_factor=2]", 1), [
    "self_attn.adapter_down.weight [2,4]",
    "mlp.adapter_down.weight [2,4]",
  ]);
  assert.deepEqual(places("pfeiffer[leave_out=[0]]", 0), []);
  const mapped = "pfeiffer[reduction_factor={'1': 1, 'default': 2}]";
  assert.deepEqual(
    [...places(mapped, 0), ...places(mapped, 1)],
    ["mlp.adapter_down.weight [2,4]", "mlp.adapter_down.weight [4,4]"],
  );
  assert.deepEqual(places("pfeiffer[reduction_factor=64]", 0), ["mlp.adapter_down.weight [1,4]"]);
});

test("the invertible adapter stands outside the blocks, and on Llama is not undone, on Qwen it is", () => {
  assert.deepEqual(outerParameters(model, bottleneck("pfeiffer")), []);
  const names = outerParameters(model, bottleneck("pfeiffer+inv")).map(
    ({ name, shape }) => `${name} [${shape}]`,
  );
  assert.deepEqual(names.slice(0, 4), [
    "invertible_adapters.F.0.weight [1,2]",
    "invertible_adapters.F.0.bias [1]",
    "invertible_adapters.F.2.weight [2,1]",
    "invertible_adapters.F.2.bias [2]",
  ]);
  const created = (model_type: string) =>
    createAdapter(
      bottleneck("pfeiffer_inv"),
      { model: { ...model, model_type }, read: none },
      createRandom(1),
    );
  assert.equal(created("llama").config.inverse_before_logits, false);
  assert.equal(created("qwen2").config.inverse_before_logits, true);
});

const none = () => assert.fail("no weight is needed");

test("a fresh bottleneck: normal values of 0.02 around zero, biases zero; par_bn's U zero", () => {
  const wide = { ...model, hidden_size: 64 };
  const create = (text: string) =>
    createAdapter(bottleneck(text), { model: wide, read: none }, createRandom(3)).arrays;
  const seq = create("seq_bn[reduction_factor=1]");
  const up = seq.get("model.layers.0.mlp.adapter_up.weight")!.data;
  const deviation = Math.sqrt(up.reduce((sum, value) => sum + value * value, 0) / up.length);
  assert.ok(Math.abs(deviation - 0.02) < 1e-3, `deviation ${deviation}`);
  assert.ok(seq.get("model.layers.1.mlp.adapter_up.bias")!.data.every((value) => value === 0));
  const par = create("par_bn");
  assert.ok(par.get("model.layers.0.mlp.adapter_up.weight")!.data.every((value) => value === 0));
  const down = par.get("model.layers.0.mlp.adapter_down.weight")!.data;
  assert.ok(down.every((value) => Math.abs(value) <= 1 / 8) && down.some((value) => Math.abs(value) > 0.1));
});
