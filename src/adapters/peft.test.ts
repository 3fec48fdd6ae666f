// Adapters as PEFT's files: what we write we read, the same bytes each time; what PEFT wrote we read; what would
// change the mathematics is refused.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { createModel } from "../models/table.ts";
import { openSafetensors, writeSafetensors } from "../weights/safetensors.ts";
import type { LoraConfig } from "./adapter.ts";
import { createLora } from "./lora.ts";
import { requireMatch } from "./match.ts";
import { readPeft, writePeft } from "./peft.ts";

const GOLDEN = new URL("../../test/golden/llama/", import.meta.url).pathname;
const temporary = mkdtempSync(join(tmpdir(), "codefudge-peft-"));
after(() => rmSync(temporary, { recursive: true }));
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

const model = createModel(json(`${GOLDEN}tied/config.json`));
const config: LoraConfig = {
  kind: "lora",
  r: 2,
  lora_alpha: 5,
  use_rslora: true,
  target_modules: ["down_proj", "q_proj"],
};
const base = { base_model_name_or_path: "some/base" };

test("what is written is read back, to the bit", () => {
  const adapter = createLora(config, model, createRandom(3));
  const folder = join(temporary, "round-trip");
  writePeft(folder, adapter, base);
  assert.deepEqual(readdirSync(folder).sort(), ["adapter_config.json", "adapter_model.safetensors"]);
  const found = readPeft(folder);
  assert.deepEqual(found.config, config);
  assert.deepEqual(found.arrays, new Map([...adapter.arrays].sort(([a], [b]) => (a < b ? -1 : 1))));
  requireMatch(found, model);
});

test("all-linear is written as the names it meant, and the base by its name", () => {
  const adapter = createLora({ ...config, target_modules: ["all-linear"] }, model, createRandom(3));
  const folder = join(temporary, "all-linear");
  writePeft(folder, adapter, base);
  const file = json(join(folder, "adapter_config.json"));
  const wanted = json(`${GOLDEN}tied/adapter/adapter_config.json`).target_modules;
  assert.deepEqual(file.target_modules, [...wanted].sort());
  assert.equal(file.base_model_name_or_path, "some/base");
});

test("the same adapter gives the same bytes, whatever the order of its arrays", () => {
  const { arrays } = createLora(config, model, createRandom(3));
  const reversed = new Map([...arrays].reverse());
  for (const [name, given] of Object.entries({ one: arrays, two: reversed })) {
    writePeft(join(temporary, name), { config, arrays: given }, base);
  }
  for (const file of ["adapter_config.json", "adapter_model.safetensors"]) {
    const bytes = (name: string) => readFileSync(join(temporary, name, file));
    assert.ok(bytes("one").equals(bytes("two")), file);
  }
});

test("keys that we write are keys that PEFT writes, in sorted order", () => {
  writePeft(join(temporary, "keys"), createLora(config, model, createRandom(3)), base);
  const keys = Object.keys(json(join(temporary, "keys", "adapter_config.json")));
  const known = Object.keys(json(`${GOLDEN}tied/adapter/adapter_config.json`));
  assert.deepEqual(keys, [...keys].sort());
  assert.deepEqual(
    keys.filter((key) => !known.includes(key)),
    [],
  );
});

for (const variant of ["tied", "untied"]) {
  test(`an adapter that PEFT wrote, for the ${variant} model`, () => {
    const adapter = readPeft(`${GOLDEN}${variant}/adapter`);
    assert.equal(adapter.config.r, 4);
    assert.equal(adapter.config.lora_alpha, 8);
    requireMatch(adapter, createModel(json(`${GOLDEN}${variant}/config.json`)));
    const file = openSafetensors(`${GOLDEN}${variant}/adapter/adapter_model.safetensors`);
    const name = "model.layers.1.mlp.up_proj.lora_B.weight";
    assert.deepEqual(adapter.arrays.get(name)!.data, file.read(`base_model.model.${name}`));
    file.dispose();
  });
}

const refused: readonly (readonly [Record<string, unknown>, RegExp])[] = [
  [{ peft_type: "IA3" }, /Expected peft_type "LORA" in .*adapter_config.json, found "IA3"/],
  [{ bias: "all" }, /bias "none".*found "all"/],
  [{ use_dora: true }, /use_dora false.*found true/],
  [{ fan_in_fan_out: true }, /fan_in_fan_out false/],
  [{ modules_to_save: ["lm_head"] }, /modules_to_save null.*found \["lm_head"\]/],
  [{ layers_to_transform: [0] }, /layers_to_transform null/],
  [{ rank_pattern: { q_proj: 2 } }, /empty rank_pattern.*found {"q_proj":2}/],
  [{ alpha_pattern: { q_proj: 2 } }, /empty alpha_pattern/],
  [{ r: "4" }, /Expected r, lora_alpha and target_modules/],
  [{ target_modules: "all-linear" }, /Expected r, lora_alpha and target_modules/],
];

for (const [change, sentence] of refused) {
  test(`refused: ${JSON.stringify(change)}`, () => {
    const folder = join(temporary, "refused");
    writePeft(folder, createLora(config, model, createRandom(3)), base);
    const file = join(folder, "adapter_config.json");
    writeFileSync(file, JSON.stringify({ ...json(file), ...change }));
    assert.throws(
      () => readPeft(folder),
      (error) => error instanceof UserError && sentence.test(error.message),
    );
  });
}

test("arrays that are no LoRA are refused by name; a missing folder is a sentence", () => {
  const folder = join(temporary, "strange");
  writePeft(folder, createLora(config, model, createRandom(3)), base);
  const strange = new Map([["base_model.model.lm_head.weight", { shape: [1], data: Float32Array.of(1) }]]);
  writeSafetensors(join(folder, "adapter_model.safetensors"), strange);
  assert.throws(
    () => readPeft(folder),
    /Expected LoRA arrays behind base_model.model. .*found base_model.model.lm_head/,
  );
  assert.throws(() => readPeft(join(temporary, "nothing")), UserError);
});
