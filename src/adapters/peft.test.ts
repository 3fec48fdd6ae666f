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
import { openFolder } from "../weights/folder.ts";
import { openSafetensors, writeSafetensors } from "../weights/safetensors.ts";
import type { LoraConfig } from "./adapter.ts";
import { createAdapter } from "./create.ts";
import { requireMatch } from "./match.ts";
import { parseAdapter } from "./options.ts";
import { readPeft, writePeft } from "./peft.ts";

const GOLDEN = new URL("../../test/golden/llama/", import.meta.url).pathname;
const temporary = mkdtempSync(join(tmpdir(), "codefudge-peft-"));
after(() => rmSync(temporary, { recursive: true }));
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

const model = createModel(json(`${GOLDEN}tied/config.json`));
const config = parseAdapter("rslora[r=2, lora_alpha=5, target_modules=[down_proj, q_proj]]") as LoraConfig;
const create = (given: LoraConfig) =>
  createAdapter(given, { model, read: openFolder(`${GOLDEN}tied`).read }, createRandom(3));
const base = { base_model_name_or_path: "some/base" };

test("what is written is read back, to the bit", () => {
  const adapter = create(config);
  const folder = join(temporary, "round-trip");
  writePeft(folder, adapter, base);
  assert.deepEqual(readdirSync(folder).sort(), ["adapter_config.json", "adapter_model.safetensors"]);
  const found = readPeft(folder);
  assert.deepEqual(found.config, config);
  assert.deepEqual(found.arrays, new Map([...adapter.arrays].sort(([a], [b]) => (a < b ? -1 : 1))));
  requireMatch(found, model);
});

test("all-linear is written as the names it meant, and the base by its name", () => {
  const adapter = create({ ...config, target_modules: ["all-linear"] });
  const folder = join(temporary, "all-linear");
  writePeft(folder, adapter, base);
  const file = json(join(folder, "adapter_config.json"));
  const wanted = json(`${GOLDEN}tied/adapter/adapter_config.json`).target_modules;
  assert.deepEqual(file.target_modules, [...wanted].sort());
  assert.equal(file.base_model_name_or_path, "some/base");
});

test("the same adapter gives the same bytes, whatever the order of its arrays", () => {
  const { arrays } = create(config);
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
  writePeft(join(temporary, "keys"), create(config), base);
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

test("layers, magnitudes and whole modules are written and read back", () => {
  const given = parseAdapter(
    "dora[r=2, target_modules=q_proj, layers_to_transform=[0, 2], modules_to_save=[norm], lora_dropout=0.5]",
  ) as LoraConfig;
  const adapter = create(given);
  const folder = join(temporary, "more");
  writePeft(folder, adapter, base);
  const found = readPeft(folder);
  assert.deepEqual(found.config, given);
  assert.equal(found.arrays.size, adapter.arrays.size);
  requireMatch(found, model);
});

test("floats are written as floats, a tied embedding beside the head that it is", () => {
  const folder = join(temporary, "tied");
  const given = parseAdapter("lora[target_modules=q_proj, modules_to_save=embed_tokens]") as LoraConfig;
  writePeft(folder, create(given), { ...base, tied: "model.embed_tokens.weight" });
  const text = readFileSync(join(folder, "adapter_config.json"), "utf8");
  assert.match(text, /"lora_dropout": 0\.0,/);
  assert.match(text, /"ensure_weight_tying": true,/);
  const file = openSafetensors(join(folder, "adapter_model.safetensors"));
  assert.deepEqual(
    file.read("base_model.model.lm_head.weight"),
    file.read("base_model.model.model.embed_tokens.weight"),
  );
  file.dispose();
  assert.ok(!readPeft(folder).arrays.has("lm_head.weight"));
  assert.equal(readPeft(folder).tied, true);
});

test("target_modules as a pattern mean the layers that have arrays", () => {
  const folder = join(temporary, "pattern");
  const part = { ...config, layers_to_transform: [1] };
  writePeft(folder, create(part), base);
  const path = join(folder, "adapter_config.json");
  const pattern = { target_modules: ".*1.*(q_proj|down_proj)", layers_to_transform: null };
  writeFileSync(path, JSON.stringify({ ...json(path), ...pattern }));
  const found = readPeft(folder);
  assert.deepEqual(found.config.layers_to_transform, [1]);
  assert.deepEqual([...found.config.target_modules].sort(), ["mlp.down_proj", "self_attn.q_proj"]);
  requireMatch(found, model);
});

const refused: readonly (readonly [Record<string, unknown>, RegExp])[] = [
  [{ peft_type: "IA3" }, /adapter_config.json, found not peft_type "LORA" but "IA3"$/],
  [{ bias: "all" }, /not bias "none" but "all"$/],
  [{ fan_in_fan_out: true }, /not fan_in_fan_out nothing but true$/],
  [{ rank_pattern: { q_proj: 2 } }, /not rank_pattern nothing but {"q_proj":2}$/],
  [{ alpha_pattern: { q_proj: 2 } }, /not alpha_pattern nothing/],
  [{ layers_to_transform: ["x"] }, /not layers_to_transform layer numbers or null/],
  [{ r: "4" }, /not r a whole number above 0 but "4"$/],
  [{ target_modules: null }, /not target_modules names or a pattern but null$/],
  [{ bias: "all", r: 0, lora_bias: true }, /not r .*; not bias .*; not lora_bias nothing but true$/],
];

for (const [change, sentence] of refused) {
  test(`refused: ${JSON.stringify(change)}`, () => {
    const folder = join(temporary, "refused");
    writePeft(folder, create(config), base);
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
  writePeft(folder, create(config), base);
  const strange = new Map([["base_model.model.lm_head.weight", { shape: [1], data: Float32Array.of(1) }]]);
  writeSafetensors(join(folder, "adapter_model.safetensors"), strange);
  assert.throws(
    () => readPeft(folder),
    /Expected LoRA arrays behind base_model.model. .*found base_model.model.lm_head/,
  );
  assert.throws(() => readPeft(join(temporary, "nothing")), UserError);
});
