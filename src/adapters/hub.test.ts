// AdapterHub's files: what we write we read, floats are floats, the file a loader opens is there, and all that would
// be ignored is refused at once. What adapters itself wrote is read in test/adapters.test.ts.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { createModel } from "../models/table.ts";
import { openFolder } from "../weights/folder.ts";
import { openPytorch } from "../weights/pytorch.ts";
import type { Adapter } from "./adapter.ts";
import { createAdapter } from "./create.ts";
import { hubName, readHub, writeHub } from "./hub.ts";
import { parseAdapter } from "./options.ts";

const GOLDEN = new URL("../../test/golden/", import.meta.url).pathname;
const temporary = mkdtempSync(join(tmpdir(), "codefudge-hub-"));
after(() => rmSync(temporary, { recursive: true }));
let folders = 0;
const newFolder = () => join(temporary, String(folders++));
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));

const source = openFolder(`${GOLDEN}llama/untied`);
const model = createModel(source.config);
const facts = { model, name: "code", model_name: "some/base" };

function create(text: string): Adapter {
  const random = createRandom(3);
  const adapter = createAdapter(parseAdapter(text), { model, read: source.read }, random);
  for (const { data } of adapter.arrays.values()) data.set(data.map(() => random.normal()));
  return adapter;
}

function written(text: string): string {
  const folder = newFolder();
  writeHub(folder, create(text), facts);
  return folder;
}

for (const text of [
  ...["pfeiffer", "houlsby+inv", "par_bn", "seq_bn[reduction_factor={'0': 2, 'default': 8}, leave_out=1]"],
  ...[
    "seq_bn[modules_to_save=lm_head]",
    "lora[target_modules=[q_proj, up_proj], layers_to_transform=[0, 2]]",
  ],
]) {
  test(`what is written is read back, to the bit, from either file: ${text}`, () => {
    const adapter = create(text);
    for (const gone of [null, "adapter.safetensors"]) {
      const folder = written(text);
      if (gone) rmSync(join(folder, gone));
      const found = readHub(folder, model);
      assert.deepEqual(
        [...found.arrays].sort(),
        [...adapter.arrays].sort(),
        gone === null ? "safetensors" : "pytorch",
      );
      if (adapter.config.kind === "bottleneck") assert.deepEqual(found.config, adapter.config);
    }
  });
}

test("the files are those that a loader looks for, with the names that it looks for", () => {
  const folder = written("houlsby+inv");
  assert.deepEqual(readdirSync(folder).sort(), [
    ...["adapter.safetensors", "adapter_config.json", "pytorch_adapter.bin"],
  ]);
  const file = openPytorch(join(folder, "pytorch_adapter.bin"));
  const golden = openPytorch(`${GOLDEN}adapters/houlsby-inv/adapter/pytorch_adapter.bin`);
  assert.deepEqual([...file.arrays.keys()].sort(), [...golden.arrays.keys()].sort());
  for (const { dispose } of [file, golden]) dispose();
});

test("the config has adapters' keys, and its floats are floats", () => {
  for (const [text, name] of [
    ["pfeiffer+inv[reduction_factor=4]", "pfeiffer-inv"],
    ["lora[r=2, lora_alpha=3, target_modules=[q_proj, k_proj, up_proj, down_proj]]", "hub-lora"],
  ] as const) {
    const folder = written(text);
    const wanted = json(`${GOLDEN}adapters/${name}/adapter/adapter_config.json`);
    assert.deepEqual(json(join(folder, "adapter_config.json")), { ...wanted, model_name: "some/base" });
  }
  const text = readFileSync(join(written("par_bn"), "adapter_config.json"), "utf8");
  assert.match(text, /"scaling": 4\.0,/);
  assert.match(text, /"dropout": 0\.0,/);
  assert.match(text, /"reduction_factor": 2,/);
});

test("rsLoRA becomes the alpha of the same scale, a DoRA's scale goes into B", () => {
  const rs = json(join(written("rslora[r=4, lora_alpha=6, target_modules=q_proj]"), "adapter_config.json"));
  assert.equal(rs.config.alpha, 12);
  const text = "dora[r=4, lora_alpha=6, target_modules=q_proj]";
  const found = readHub(written(text), model);
  const name = "model.layers.0.self_attn.q_proj.lora_B.weight";
  const b = create(text).arrays.get(name)!.data;
  assert.deepEqual(
    found.arrays.get(name)!.data,
    b.map((value) => value * 1.5),
  );
  assert.deepEqual(found.arrays.get("model.layers.0.self_attn.q_proj.lora_magnitude_vector")!.shape, [64]);
});

test("what has no place in these files is named", () => {
  for (const [text, sentence] of [
    ["lora", /no place for a LoRA on self_attn.o_proj, mlp.gate_proj$/],
    ["pfeiffer[modules_to_save=[norm, lm_head]]", /no place for modules_to_save norm$/],
  ] as const) {
    assert.throws(
      () => written(text),
      (error) => error instanceof UserError && sentence.test(error.message),
    );
  }
});

function refusal(change: (file: Record<string, unknown>) => void): string {
  const folder = written("pfeiffer");
  const path = join(folder, "adapter_config.json");
  const file = json(path);
  change(file);
  writeFileSync(path, JSON.stringify(file));
  try {
    readHub(folder, model);
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error.message;
  }
  return "read";
}

test("all that would be ignored is refused at once", () => {
  const config = { ln_after: true, use_gating: true, scaling: "learned", residual_before_ln: "post_add" };
  const found = refusal((file) => Object.assign(file.config as object, config, { inv_adapter: "glow" }));
  assert.equal(
    found.slice(found.indexOf("found not")),
    'found not scaling a number but "learned"; not inv_adapter "nice" or nothing but "glow"; not residual_before_ln true or false but "post_add"; not ln_after nothing but true; not use_gating nothing but true',
  );
  assert.match(
    refusal((file) => Object.assign(file, { model_type: "bert" })),
    /not model_type llama but "bert"/,
  );
  assert.match(
    refusal((file) => Object.assign(file.config as object, { reduction_factor: 4 })),
    /found \d+ arrays that differ: .*adapter_down.0.weight is \[2,32\], expected \[8,32\]/,
  );
});

test("old files: activations by their former names, the invertible adapter in an object of its own", () => {
  assert.equal(
    refusal((file) => {
      delete file.version;
      Object.assign(file.config as object, { non_linearity: "gelu_orig", inv_adapter: undefined });
    }),
    "read",
  );
  const nested = { invertible_adapter: { block_type: "nice", reduction_factor: 2 } };
  const found = refusal((file) => Object.assign(file.config as object, nested));
  assert.match(found, /invertible_adapters.code.F.0.weight is missing/);
});

test("names of places", () => {
  assert.equal(
    hubName("model.layers.3.self_attn.adapter_down.bias", model, "x"),
    "model.layers.3.attention_adapters.adapters.x.adapter_down.0.bias",
  );
  assert.equal(hubName("invertible_adapters.F.2.bias", model, "x"), "model.invertible_adapters.x.F.2.bias");
});
