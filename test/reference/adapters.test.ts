// Adapters of every kind that we write, loaded by PEFT and by adapters, and merged and combined ones: no key missing
// or unexpected, logits equal to ours. Needs Python: CODEFUDGE_VENV names an environment with
// ../golden/adapters/requirements-peft.txt, CODEFUDGE_ADAPTERS_VENV one with requirements-adapters.txt. What those
// libraries wrote is read in test/adapters.test.ts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Adapter } from "../../src/adapters/adapter.ts";
import { combineAdapters } from "../../src/adapters/combine.ts";
import { mergedModel } from "../../src/adapters/merge.ts";
import { openAdapter } from "../../src/adapters/open.ts";
import { saveAdapter } from "../../src/adapters/save.ts";
import { writeJson } from "../../src/base/files.ts";
import { openDecoder } from "../../src/generation/answer-decoder.ts";
import type { AnyModel } from "../../src/models/encoder-decoder.ts";
import { createAnyModel, createModel } from "../../src/models/table.ts";
import { initialWeights } from "../../src/training/initial.ts";
import { openFolder, writeModelFolder } from "../../src/weights/folder.ts";
import { writeSafetensors } from "../../src/weights/safetensors.ts";
import { drawAdapter } from "../drawn-adapter.ts";

const venvs = { peft: process.env.CODEFUDGE_VENV, adapters: process.env.CODEFUDGE_ADAPTERS_VENV };
const temporary = mkdtempSync(join(tmpdir(), "codefudge-adapters-"));
after(() => rmSync(temporary, { recursive: true, force: true }));
let folders = 0;
const newFolder = () => join(temporary, String(folders++));
const IDS = Array.from({ length: 20 }, (_, i) => (i * 31 + 7) % 61);
const device = { threads: 1, arena: true };

type Base = {
  readonly folder: string;
  readonly model: AnyModel;
  read(name: string): Float32Array<ArrayBuffer>;
};

function openTiny(variant: string): Base {
  return openGolden(`llama/${variant}`);
}

function openGolden(name: string): Base {
  const folder = new URL(`../golden/${name}`, import.meta.url).pathname;
  const source = openFolder(folder);
  return { folder, model: createAnyModel(source.config), read: source.read };
}

/** A Qwen, whose invertible adapter adapters undoes before the head. */
function makeQwen(): Base {
  const folder = newFolder();
  const config = {
    ...{ model_type: "qwen2", architectures: ["Qwen2ForCausalLM"], hidden_act: "silu", vocab_size: 67 },
    ...{ hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, num_attention_heads: 2 },
    ...{ num_key_value_heads: 1, rms_norm_eps: 1e-6, rope_theta: 10000, max_position_embeddings: 64 },
    ...{ tie_word_embeddings: false, use_sliding_window: false },
  };
  const model = createModel(config);
  const arrays = initialWeights(model, 5);
  for (const [name, { data }] of arrays) {
    data.set(data.map((value, i) => (name.endsWith("bias") ? Math.sin(i) : 8 * value)));
  }
  writeModelFolder(folder, { config, arrays, tokenizerFiles: {} });
  return { folder, model, read: openFolder(folder).read };
}

async function writeLogits(base: Base, adapter: Adapter): Promise<string> {
  const { model, read } = base;
  const decoder = openDecoder({ model, read, adapter, capacity: 2 * IDS.length, device });
  const isTwofold = model.kind === "encoder-decoder";
  const ids = isTwofold ? [model.decoder_start_token_id, ...IDS.slice(5)] : IDS;
  const rows = [...(await decoder.begin(isTwofold ? IDS : IDS.slice(0, 1)))];
  for (const id of ids.slice(1)) rows.push(...(await decoder.next(id)));
  await decoder.dispose();
  const file = join(newFolder(), "logits.safetensors");
  const row = (values: readonly number[]) => ({ shape: [values.length], data: Float32Array.from(values) });
  const arrays = {
    ids: row(ids),
    ...(isTwofold ? { source: row(IDS) } : {}),
    logits: { shape: [ids.length, rows.length / ids.length], data: Float32Array.from(rows) },
  };
  writeSafetensors(file, new Map(Object.entries(arrays)));
  return file;
}

type Library = "peft" | "peft-cat" | "transformers" | "adapters" | "adapters-safe";
type Case = { readonly name: string; readonly library: Library } & Paths;
type Paths = { readonly model: string; readonly adapter: string; readonly logits: string };

/** One process for all: loading the libraries takes longer than what they do. */
function compareAll(venv: string, cases: readonly Case[]): void {
  const list = join(newFolder(), "cases.json");
  writeJson(
    list,
    cases.map(({ name: _, ...rest }) => rest),
  );
  const script = new URL("load.py", import.meta.url).pathname;
  const printed = execFileSync(join(venv, "bin", "python"), [script, list], { encoding: "utf8" });
  const lines = printed.trim().split("\n");
  cases.forEach(({ name, library }, i) => {
    const { difference, effect, size, keys } = JSON.parse(lines[i]!);
    console.log(`${library}, ${name}: largest difference ${difference} of ${size}, effect ${effect}`);
    assert.deepEqual(keys, [], name);
    assert.ok(difference < 1e-4 * size, `${name}: logits differ by ${difference} of ${size}`);
    assert.ok(effect > 0.01 * size, `${name}: the adapter changes logits by ${effect} only`);
  });
}

const skipPeft = { skip: venvs.peft === undefined && "CODEFUDGE_VENV is not set" };
const skipHub = { skip: venvs.adapters === undefined && "CODEFUDGE_ADAPTERS_VENV is not set" };
const facts = { name: "codefudge", base: null, base_sha256: "0".repeat(64) };

async function saved(text: string, base: Base): Promise<{ paths: Paths; last: string }> {
  const adapter = drawAdapter(text, base, 3);
  const folder = newFolder();
  const written = saveAdapter(folder, adapter, { ...facts, model: base.model });
  const logits = await writeLogits(base, adapter);
  return { paths: { model: base.folder, adapter: folder, logits }, last: written.at(-1)! };
}

test("PEFT reads ours", skipPeft, async () => {
  const cases: Case[] = [];
  for (const [variant, text] of [
    ["untied", "lora[r=4, target_modules=[q_proj, down_proj]]"],
    ["tied", "rslora[r=4]"],
    ["untied", "dora[r=4, target_modules=[q_proj, v_proj, up_proj]]"],
    ["tied", "lora[layers_to_transform=[0, 2]]"],
    ["untied", "lora[target_modules=[v_proj], modules_to_save=[embed_tokens, lm_head]]"],
    ["tied", "lora[target_modules=[v_proj], modules_to_save=[embed_tokens]]"],
    ["untied", "lora[target_modules=[v_proj], modules_to_save=[norm]]"],
  ] as const) {
    const { paths } = await saved(text, openTiny(variant));
    cases.push({ name: `${text}, ${variant}`, library: "peft", ...paths });
  }
  compareAll(venvs.peft!, cases);
});

const hubKinds = [
  ...["pfeiffer", "pfeiffer+inv", "houlsby", "houlsby+inv", "par_bn", "par_bn+inv"],
  "seq_bn[reduction_factor={'0': 2, 'default': 8}, leave_out=1, non_linearity=gelu]",
  "seq_bn[modules_to_save=lm_head]",
  "seq_bn[modules_to_save=embed_tokens]",
  "rslora[r=4, target_modules=[q_proj, v_proj, up_proj], layers_to_transform=0-1]",
  "dora[r=4, lora_alpha=6, target_modules=[up_proj, down_proj]]",
];

for (const [make, model] of [
  [() => openTiny("untied"), "Llama"],
  [makeQwen, "Qwen"],
] as const) {
  test(`adapters reads ours: ${model}`, skipHub, async () => {
    const cases: Case[] = [];
    for (const text of hubKinds) {
      const { paths, last } = await saved(text, make());
      for (const library of ["adapters", "adapters-safe"] as const) {
        cases.push({ name: `${text}, ${model}`, library, ...paths, adapter: last });
      }
    }
    compareAll(venvs.adapters!, cases);
  });
}

const T5_PEFT = [
  ["t5/v1.0", "lora[r=4, target_modules=[q, v, wo]]"],
  ["t5/v1.1", "lora[r=4]"],
  ["t5/v1.1", "rslora[r=4, target_modules=[wi_0, o], layers_to_transform=1]"],
  ["t5/v1.0", "dora[r=4, target_modules=[layer.1.EncDecAttention.k, wi]]"],
  ["t5/v1.1", "lora[target_modules=[v], modules_to_save=[lm_head]]"],
  ["t5/v1.0", "lora[target_modules=[k], modules_to_save=[final_layer_norm]]"],
  ["t5/v1.0", "lora[target_modules=[v], modules_to_save=[shared]]"],
  ["t5/v1.1", "lora[target_modules=[v], modules_to_save=[shared, lm_head]]"],
  ["longt5/local", "lora[r=4]"],
  ["longt5/tglobal", "dora[r=4, target_modules=[q, k, v, wi_1]]"],
] as const;

test("PEFT reads ours: T5 and LongT5", skipPeft, async () => {
  const cases: Case[] = [];
  for (const [variant, text] of T5_PEFT) {
    const { paths } = await saved(text, openGolden(variant));
    cases.push({ name: `${text}, ${variant}`, library: "peft", ...paths });
  }
  for (const variant of ["t5/v1.0", "t5/v1.1", "longt5/tglobal"]) {
    const base = openGolden(variant);
    const adapter = drawAdapter("rslora[r=4, target_modules=[q, wo]]", base, 3);
    const folder = newFolder();
    const { config } = openFolder(base.folder);
    writeModelFolder(folder, { config, arrays: mergedModel(adapter, base), tokenizerFiles: {} });
    const paths = { model: base.folder, adapter: folder, logits: await writeLogits(base, adapter) };
    cases.push({ name: `merged, ${variant}`, library: "transformers", ...paths });
  }
  compareAll(venvs.peft!, cases);
});

const t5HubKinds = [
  ...["pfeiffer", "pfeiffer+inv", "houlsby", "houlsby+inv", "par_bn", "par_bn+inv"],
  "double_seq_bn[cross_adapter=true, reduction_factor={'0': 2, '4': 4, 'default': 8}, leave_out=[1, 2]]",
  "rslora[r=4, target_modules=[q, v, wo], layers_to_transform=0-1]",
  "dora[r=4, lora_alpha=6, target_modules=[k, wo]]",
];

for (const variant of ["t5/v1.0", "t5/v1.1", "longt5/local", "longt5/narrow"]) {
  test(`adapters reads ours: ${variant}`, skipHub, async () => {
    const cases: Case[] = [];
    const isTied = variant === "t5/v1.0";
    for (const text of [...t5HubKinds, ...(isTied ? [] : ["pfeiffer+inv[modules_to_save=[shared]]"])]) {
      const { paths, last } = await saved(text, openGolden(variant));
      for (const library of ["adapters", "adapters-safe"] as const) {
        cases.push({ name: `${text}, ${variant}`, library, ...paths, adapter: last });
      }
    }
    compareAll(venvs.adapters!, cases);
  });
}

test("adapters reads ours: XLNet", skipHub, async () => {
  const cases: Case[] = [];
  for (const variant of ["xlnet/tied", "xlnet/untied"]) {
    for (const text of ["pfeiffer", "pfeiffer+inv", "houlsby", "houlsby+inv", "par_bn", "par_bn+inv"]) {
      const { paths, last } = await saved(text, openGolden(variant));
      for (const library of ["adapters", "adapters-safe"] as const) {
        cases.push({ name: `${text}, ${variant}`, library, ...paths, adapter: last });
      }
    }
  }
  compareAll(venvs.adapters!, cases);
});

test("PEFT reads ours: XLNet, and transformers a merged one", skipPeft, async () => {
  const cases: Case[] = [];
  for (const variant of ["xlnet/tied", "xlnet/untied"]) {
    const { paths } = await saved("lora[r=4]", openGolden(variant));
    cases.push({ name: variant, library: "peft", ...paths });
    const base = openGolden(variant);
    const adapter = drawAdapter("rslora[r=4, target_modules=[layer_2]]", base, 3);
    const folder = newFolder();
    const { config } = openFolder(base.folder);
    writeModelFolder(folder, { config, arrays: mergedModel(adapter, base), tokenizerFiles: {} });
    const merged = { model: base.folder, adapter: folder, logits: await writeLogits(base, adapter) };
    cases.push({ name: `merged, ${variant}`, library: "transformers", ...merged });
  }
  compareAll(venvs.peft!, cases);
});

test("transformers reads a merged model, and PEFT combines as we do", skipPeft, async () => {
  const cases: Case[] = [];
  const kinds = ["rslora[r=4]", "dora[r=4]", "lora[target_modules=v_proj, modules_to_save=embed_tokens]"];
  for (const [text, variant] of kinds.flatMap(
    (kind) =>
      [
        [kind, "tied"],
        [kind, "untied"],
      ] as const,
  )) {
    const base = openTiny(variant);
    const adapter = drawAdapter(text, base, 3);
    const folder = newFolder();
    writeModelFolder(folder, {
      config: openFolder(base.folder).config,
      arrays: mergedModel(adapter, base),
      tokenizerFiles: {},
    });
    const logits = await writeLogits(base, adapter);
    const paths = { model: base.folder, adapter: folder, logits };
    cases.push({ name: `${text}, ${variant}`, library: "transformers", ...paths });
  }
  const base = openTiny("untied");
  const parts = ["lora[r=2]", "rslora[r=4, lora_alpha=6]"].map((text, i) => drawAdapter(text, base, i));
  const weights = [0.7, 0.4];
  const both = combineAdapters(parts.map((adapter, i) => ({ adapter, weight: weights[i]! })));
  const written = [...parts, both].map((adapter) => {
    const folder = newFolder();
    saveAdapter(folder, adapter, { ...facts, model: base.model });
    return folder;
  });
  const logits = await writeLogits(base, openAdapter(written[2]!, base));
  const paths = { model: base.folder, adapter: written.join(), logits };
  cases.push({ name: "two LoRAs", library: "peft-cat", ...paths });
  compareAll(venvs.peft!, cases);
});
