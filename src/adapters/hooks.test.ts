// The hooks of a block: each parameter one graph input, the adapter's among them, and nothing that is not known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { layersOf } from "../../test/layers.ts";
import { input, nodesOf } from "../graph/tensor.ts";
import { adapterParameters, blockHooks, blockVariant, createParameters, embeddingStage } from "./hooks.ts";
import { parseAdapter } from "./options.ts";

const lora = parseAdapter("lora[r=4, target_modules=[up_proj]]");
const blocks = layersOf([
  { name: "mlp.up_proj", shape: [5, 3] },
  { name: "mlp.gate_proj", shape: [5, 3] },
]);
const place = { layer: 0 };
const x = input("x", "float32", [2, 3]);

test("a parameter is one input, however often it is asked for", () => {
  const { parameter, made } = createParameters([{ name: "norm.weight", shape: [3] }]);
  assert.equal(parameter("norm.weight"), parameter("norm.weight"));
  assert.deepEqual(parameter("norm.weight").shape, [3]);
  assert.deepEqual([...made.keys()], ["norm.weight"]);
  assert.throws(() => parameter("nrm.weight"), /Expected a parameter of this stage, found nrm.weight/);
});

test("without an adapter a linear layer is one product", () => {
  const hooks = blockHooks(blocks, null, place);
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
  assert.deepEqual(adapterParameters(blocks, null, 0), []);
});

test("with an adapter its arrays become inputs, on targeted layers only", () => {
  const hooks = blockHooks(blocks, lora, place);
  const outputs = hooks.linear(x, ["mlp.up_proj", "mlp.gate_proj"]);
  assert.equal(nodesOf(outputs).length, 4);
  assert.deepEqual(
    [...hooks.made.keys()].filter((name) => name.includes("lora")),
    adapterParameters(blocks, lora, 0).map(({ name }) => name),
  );
  assert.deepEqual(adapterParameters(blocks, lora, 0), [
    { name: "mlp.up_proj.lora_A.weight", shape: [4, 3] },
    { name: "mlp.up_proj.lora_B.weight", shape: [5, 4] },
  ]);
});

test("layers with the same arrays share their programs, others do not", () => {
  const part = parseAdapter("lora[layers_to_transform=1]");
  assert.equal(blockVariant(blocks, null, 0), blockVariant(blocks, null, 1));
  assert.equal(blockVariant(blocks, lora, 0), blockVariant(blocks, lora, 1));
  assert.notEqual(blockVariant(blocks, part, 0), blockVariant(blocks, part, 1));
  assert.equal(blockVariant(blocks, part, 0), blockVariant(blocks, null, 0));
});

test("a mask is asked for once for all layers that share an input, and none where no layer is targeted", () => {
  const asked: string[] = [];
  const dropout = (masked: typeof x, name: string) => {
    asked.push(name);
    return masked;
  };
  const both = parseAdapter("lora[r=4, lora_dropout=0.1]");
  blockHooks(blocks, both, { layer: 0, dropout }).linear(x, ["mlp.gate_proj", "mlp.up_proj"]);
  blockHooks(blocks, lora, { layer: 0, dropout }).linear(x, ["mlp.gate_proj"]);
  assert.deepEqual(asked, ["mlp.gate_proj"]);
});

test("an embedding takes the adapter's arrays only where it has some there", () => {
  const ids = input("ids", "int64", [2]);
  const made = (text: string | null) => [
    ...embeddingStage(blocks, text === null ? null : parseAdapter(text), ids).made.keys(),
  ];
  assert.deepEqual(made(null), ["model.embed_tokens.weight"]);
  assert.deepEqual(made("pfeiffer"), ["model.embed_tokens.weight"]);
  assert.equal(made("pfeiffer+inv").length, 9);
});
