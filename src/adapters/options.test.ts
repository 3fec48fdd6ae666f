// Adapters as people name them: both generations of names, options in brackets and as flags, and what is said of those
// that do not exist.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../base/errors.ts";
import { defaultsOf } from "../base/options.ts";
import type { BottleneckConfig, LoraConfig } from "./adapter.ts";
import { adapterConfig, adapterNames, adapterOptions, parseAdapter } from "./options.ts";

const flags = defaultsOf(adapterOptions);

test("nothing given is a LoRA with PEFT's names on every linear layer", () => {
  assert.deepEqual(adapterConfig(flags), {
    ...{ kind: "lora", r: 8, lora_alpha: 16, use_rslora: false, use_dora: false, lora_dropout: 0 },
    ...{ target_modules: ["all-linear"], layers_to_transform: null, modules_to_save: [] },
  });
});

test("names of both generations mean the same, each kind has what AdapterHub gives it", () => {
  for (const [old, now] of [
    ["pfeiffer", "seq_bn"],
    ["houlsby", "double_seq_bn"],
    ["pfeiffer+inv", "seq_bn_inv"],
    ["houlsby+inv", "double_seq_bn_inv"],
    ["par_bn+inv", "par_bn_inv"],
  ] as const) {
    assert.deepEqual(parseAdapter(old), parseAdapter(now), old);
  }
  const told = (name: string) => {
    const config = parseAdapter(name) as BottleneckConfig;
    const { original_ln_before, mh_adapter, output_adapter, non_linearity, reduction_factor } = config;
    return [original_ln_before, mh_adapter, output_adapter, non_linearity, reduction_factor];
  };
  assert.deepEqual(told("seq_bn"), [true, false, true, "relu", 16]);
  assert.deepEqual(told("double_seq_bn"), [false, true, true, "swish", 16]);
  assert.deepEqual(told("par_bn"), [false, false, true, "relu", 2]);
  const { inv_adapter, inv_adapter_reduction_factor } = parseAdapter("pfeiffer+inv") as BottleneckConfig;
  assert.deepEqual([inv_adapter, inv_adapter_reduction_factor], ["nice", 2]);
  assert.equal((parseAdapter("dora") as LoraConfig).use_dora, true);
  assert.equal((parseAdapter("rslora") as LoraConfig).use_rslora, true);
  for (const name of adapterNames) assert.ok(parseAdapter(name), name);
});

test("options in brackets, written as Python or not", () => {
  const written = parseAdapter(
    "seq_bn[reduction_factor={'1': 8, \"default\": 16}, leave_out=[0, 2], non_linearity='gelu', mh_adapter=True]",
  ) as BottleneckConfig;
  assert.deepEqual(written.reduction_factor, { 1: 8, default: 16 });
  assert.deepEqual(written.leave_out, [0, 2]);
  assert.equal(written.non_linearity, "gelu");
  assert.equal(written.mh_adapter, true);
  const lora = parseAdapter("lora[r=4,target_modules=[q_proj,v_proj],layers_to_transform=1-3]") as LoraConfig;
  assert.deepEqual(
    [lora.r, lora.target_modules, lora.layers_to_transform],
    [4, ["q_proj", "v_proj"], [1, 2, 3]],
  );
  assert.deepEqual(parseAdapter("lora[modules_to_save=lm_head]").modules_to_save, ["lm_head"]);
});

test("a flag goes before the brackets", () => {
  const config = adapterConfig({ ...flags, adapter: "lora[r=4, lora_alpha=5]", r: 2 }) as LoraConfig;
  assert.deepEqual([config.r, config.lora_alpha], [2, 5]);
});

const refused: readonly (readonly [string, RegExp])[] = [
  ["pfeifer", /^Expected an adapter among lora, .*, found "pfeifer" \(did you mean pfeiffer\?\)$/],
  ["", /Expected an adapter among/],
  ["lora[rank=4]", /^Expected options of the adapter lora \(r, .*\), found rank$/],
  ["lora[reduction_factor=4]", /found reduction_factor/],
  ["lora[r=0]", /Expected a whole number of at least 1 for --r, found "0"/],
  ["lora[r=four]", /Expected a whole number for --r, found "four"/],
  ["lora[use_dora=maybe]", /Expected true or false for use_dora, found "maybe"/],
  ["seq_bn[non_linearity=rlu]", /Expected one of relu, .* for --non_linearity, found "rlu"/],
  ["seq_bn[reduction_factor=0]", /Expected a positive number for reduction_factor.*found 0$/],
  ["seq_bn[reduction_factor={'1': 4}]", /or one a layer such as .*found {"1":4}$/],
  ["seq_bn[leave_out=[-1]]", /Expected layer numbers such as 3 or 20-29 for --leave_out, found "-1"/],
  ["lora[r=4", /Expected an adapter among|Expected options such as/],
  [
    "lora[r=4,,]",
    /Expected options such as \[r=8\] in the adapter "lora\[r=4,,\]", found that a name is expected where ",,?" stands/,
  ],
  ["lora[r=4, r=5]", /r is given twice/],
];
for (const [text, sentence] of refused) {
  test(`refused: ${text}`, () => {
    assert.throws(
      () => parseAdapter(text),
      (error) => error instanceof UsageError && sentence.test(error.message),
    );
  });
}

test("a flag of another kind is refused", () => {
  assert.throws(() => adapterConfig({ ...flags, adapter: "pfeiffer", r: 8 }), /Expected options .*found r/);
});
