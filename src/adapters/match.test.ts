// Whether an adapter belongs on a model: every difference in one sentence.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import type { Adapter, LoraConfig, TrainedArray } from "./adapter.ts";
import { createLora } from "./lora.ts";
import { requireMatch } from "./match.ts";

const config: LoraConfig = {
  kind: "lora",
  r: 2,
  lora_alpha: 4,
  use_rslora: false,
  target_modules: ["all-linear"],
};
const model = {
  linears: [
    { name: "self_attn.q_proj", shape: [4, 3] },
    { name: "mlp.up_proj", shape: [5, 3] },
  ],
  num_hidden_layers: 3,
  blockPrefix: (layer: number) => `model.layers.${layer}.`,
};
const adapter = createLora(config, model, createRandom(1));

function changed(change: (arrays: Map<string, TrainedArray>) => void): Adapter {
  const arrays = new Map(adapter.arrays);
  change(arrays);
  return { config, arrays };
}

function refusal(found: Adapter): string {
  try {
    requireMatch(found, model);
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error.message;
  }
  return assert.fail("an adapter that does not fit is taken");
}

test("an adapter made for the model fits", () => {
  requireMatch(adapter, model);
  const part = { ...config, target_modules: ["up_proj"] };
  requireMatch(createLora(part, model, createRandom(1)), model);
});

test("missing, misshapen and unknown arrays are all named", () => {
  const found = changed((arrays) => {
    arrays.delete("model.layers.1.mlp.up_proj.lora_A.weight");
    arrays.set("model.layers.0.self_attn.q_proj.lora_B.weight", { shape: [2, 4], data: new Float32Array(8) });
    arrays.set("model.layers.3.mlp.up_proj.lora_A.weight", { shape: [2, 3], data: new Float32Array(6) });
  });
  assert.equal(
    refusal(found),
    "Expected an adapter made for this model, found 3 arrays that differ: " +
      "model.layers.0.self_attn.q_proj.lora_B.weight is [2,4], expected [4,2]; " +
      "model.layers.1.mlp.up_proj.lora_A.weight is missing; model.layers.3.mlp.up_proj.lora_A.weight is unknown",
  );
});

test("of many differences the first eight are shown and the rest counted", () => {
  const message = refusal(changed((arrays) => arrays.clear()));
  assert.match(message, /found 12 arrays that differ: /);
  assert.equal(message.match(/is missing/g)?.length, 8);
  assert.match(message, /; and 4 more$/);
});

test("arrays of another rank than the config says do not fit", () => {
  const { arrays } = createLora({ ...config, r: 3 }, model, createRandom(1));
  assert.match(
    refusal({ config, arrays }),
    /found 12 arrays that differ: .*lora_A.weight is \[3,3\], expected \[2,3\]/,
  );
});
