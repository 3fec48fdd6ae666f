// Whether an adapter belongs on a model: every difference in one sentence.

import assert from "node:assert/strict";
import { test } from "node:test";
import { layersOf } from "../../test/layers.ts";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import type { Adapter, TrainedArray } from "./adapter.ts";
import { createAdapter } from "./create.ts";
import { requireMatch } from "./match.ts";
import { parseAdapter } from "./options.ts";

const config = parseAdapter("lora[r=2]");
const model = {
  ...layersOf([
    { name: "self_attn.q_proj", shape: [4, 3] },
    { name: "mlp.up_proj", shape: [5, 3] },
  ]),
  num_hidden_layers: 3,
};
const create = (text: string) =>
  createAdapter(parseAdapter(text), { model, read: () => new Float32Array(24) }, createRandom(1));
const adapter = create("lora[r=2]");

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
  requireMatch(create("lora[r=2, target_modules=up_proj, layers_to_transform=1-2]"), model);
  requireMatch(create("houlsby+inv"), model);
  requireMatch(create("lora[target_modules=up_proj, modules_to_save=[embed_tokens]]"), model);
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

test("arrays by other names: what is missing and what is there instead are both shown", () => {
  const message = refusal(
    changed((arrays) => {
      for (const [name, array] of [...arrays]) {
        arrays.delete(name);
        arrays.set(name.replace("model.", "transformer."), array);
      }
    }),
  );
  assert.match(message, /found 24 arrays that differ: model\.layers\.0\..* is missing; /);
  assert.equal(message.match(/; transformer\.layers\.\S+ is unknown/g)?.length, 4);
  assert.match(message, /; and 16 more$/);
});

test("arrays of another rank than the config says do not fit", () => {
  const { arrays } = create("lora[r=3]");
  assert.match(
    refusal({ config, arrays }),
    /found 12 arrays that differ: .*lora_A.weight is \[3,3\], expected \[2,3\]/,
  );
});

test("modules that the model lacks are named, with what is near", () => {
  const wrong = parseAdapter("lora[modules_to_save=[embd_tokens, crossattention]]");
  assert.throws(
    () => requireMatch({ config: wrong, arrays: new Map() }, model),
    /Expected modules_to_save among .*, found embd_tokens, crossattention \(did you mean embed_tokens\?\)/,
  );
  const nowhere = parseAdapter("lora[layers_to_transform=[7]]");
  assert.throws(
    () => requireMatch({ config: nowhere, arrays: new Map() }, model),
    /on at least one layer, found one on none/,
  );
});
