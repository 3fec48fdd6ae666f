// The hooks of a block: each parameter one graph input, the adapter's among them, and nothing that is not known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { input, nodesOf } from "../graph/tensor.ts";
import type { LoraConfig } from "./adapter.ts";
import { adapterParameters, blockHooks, createParameters } from "./hooks.ts";

const lora: LoraConfig = {
  kind: "lora",
  r: 4,
  lora_alpha: 8,
  use_rslora: false,
  target_modules: ["up_proj"],
};
const blocks = {
  linears: [
    { name: "mlp.up_proj", shape: [5, 3] },
    { name: "mlp.gate_proj", shape: [5, 3] },
  ],
  blockParameters: [
    { name: "mlp.up_proj.weight", shape: [5, 3] },
    { name: "mlp.gate_proj.weight", shape: [5, 3] },
    { name: "norm.weight", shape: [3] },
  ],
};
const x = input("x", "float32", [2, 3]);

test("a parameter is one input, however often it is asked for", () => {
  const { parameter, made } = createParameters([{ name: "norm.weight", shape: [3] }]);
  assert.equal(parameter("norm.weight"), parameter("norm.weight"));
  assert.deepEqual(parameter("norm.weight").shape, [3]);
  assert.deepEqual([...made.keys()], ["norm.weight"]);
  assert.throws(() => parameter("nrm.weight"), /Expected a parameter of this stage, found nrm.weight/);
});

test("without an adapter a linear layer is one product", () => {
  const hooks = blockHooks(blocks, null);
  const outputs = hooks.linear(x, ["mlp.up_proj", "mlp.gate_proj"]);
  assert.deepEqual(
    outputs.map((y) => y.shape),
    [
      [2, 5],
      [2, 5],
    ],
  );
  assert.equal(nodesOf(outputs).length, 2);
  assert.deepEqual([...hooks.made.keys()], ["mlp.up_proj.weight", "mlp.gate_proj.weight"]);
  assert.deepEqual(adapterParameters(blocks, null), []);
});

test("with an adapter its arrays become inputs, on targeted layers only", () => {
  const hooks = blockHooks(blocks, lora);
  const outputs = hooks.linear(x, ["mlp.up_proj", "mlp.gate_proj"]);
  assert.equal(nodesOf(outputs).length, 4);
  assert.deepEqual(
    [...hooks.made.keys()].filter((name) => name.includes("lora")),
    adapterParameters(blocks, lora).map(({ name }) => name),
  );
  assert.deepEqual(adapterParameters(blocks, lora), [
    { name: "mlp.up_proj.lora_A.weight", shape: [4, 3] },
    { name: "mlp.up_proj.lora_B.weight", shape: [5, 4] },
  ]);
});
