// What users of other trainers complained about in what came out of them, one test each, named after where it was said:
// files that load as nothing, exports that answer differently, prompts that are others in use than in training. Kinds of
// models have complaints-models.test.ts. Not for a trainer: installing, Ollama, quantised exports.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openAdapter } from "../src/adapters/open.ts";
import { renderFitting } from "../src/dataset/fitting.ts";
import { formats } from "../src/dataset/format.ts";
import { type Rendered, renderPrompt } from "../src/dataset/render.ts";
import type { Request } from "../src/dataset/request.ts";
import { readExamples } from "../src/dataset/store.ts";
import { openBase } from "../src/generation/base.ts";
import { type Sequence, targetCount } from "../src/training/batch.ts";
import { sequenceLosses } from "../src/training/loss.ts";
import { openNetwork } from "../src/training/network.ts";
import { openSafetensors, writeSafetensors } from "../src/weights/safetensors.ts";
import { createWorkshop, run, type Workshop } from "./tiny.ts";

/** Rates that make a difference in three steps. */
const SHORT = ["--max_length", "256", "--max_steps", "3", "--threads", "1", "--learning_rate", "0.02"];
let shop: Workshop;

const inShop = (tokens: readonly string[]) => run(tokens, { cwd: shop.repository });
const folderOf = (name: string) => join(shop.repository, ".codefudge/runs", name);
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));

async function trainAs(name: string, adapter: string): Promise<void> {
  const what = ["--model", shop.model, "--run", name, "--adapter", adapter];
  const { code, stderr } = await inShop(["train", ...what, ...SHORT]);
  assert.equal(code, 0, stderr);
}

before(async () => {
  shop = await createWorkshop(40);
  await trainAs("rows", "rslora[r=4, lora_alpha=8, target_modules=all-linear]");
  await trainAs("neck", "pfeiffer+inv[reduction_factor=4]");
});

after(() => shop.dispose());

type Asked = { readonly request: Request; readonly rendered: Rendered };

/** Held-out examples as they are measured. */
async function heldOut(): Promise<readonly Asked[]> {
  const { tokenizer, source } = openBase(shop.model);
  const rule = {
    tokenizer,
    format: formats.region,
    max_length: 256,
    max_files: 4,
    purpose: "measure",
  } as const;
  const examples = readExamples(shop.dataset, "test");
  const rendering = renderFitting(examples, rule, (rendered, { request }) => ({ rendered, request }));
  for (;;) {
    const next = await rendering.next();
    if (!next.done) continue;
    source.dispose();
    return next.value.items;
  }
}

/** What held-out answers cost a model, a target each: of a base, or with the adapter of a folder. */
async function lossesOf(model: string, folder: string | null): Promise<readonly number[]> {
  const sequences: Sequence[] = (await heldOut()).map(({ rendered }) => rendered);
  const base = openBase(model);
  const adapter = folder === null ? null : openAdapter(folder, base);
  const device = { threads: 1, arena: true };
  const engine = openNetwork({ model: base.model, read: base.read, adapter, trainable: "none", device });
  const losses = await sequenceLosses(engine, sequences);
  await engine.dispose();
  base.source.dispose();
  return [...losses].map((loss, i) => loss / targetCount(sequences[i]!));
}

function farthest(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

test("unsloth #976, #3899, #2374, #1832, LLaMA-Factory #6020, #1740, #3563, #6320, #5232: a merged model answers as what was trained", async () => {
  const merged = join(shop.folder, "merged");
  const { code, stderr } = await inShop(["merge", "rows", "--output", merged]);
  assert.equal(code, 0, stderr);
  const [base, trained, exported] = [
    await lossesOf(shop.model, null),
    await lossesOf(shop.model, folderOf("rows")),
    await lossesOf(merged, null),
  ];
  assert.ok(farthest(base, trained) > 0.01, "training changed something");
  assert.ok(farthest(exported, trained) < 1e-4, `${farthest(exported, trained)} nats a token`);
});

test("peft #2321: a merge rounds nothing away, whatever the base is kept in: it is written in f32", async () => {
  const path = join(shop.folder, "merged-again");
  assert.equal((await inShop(["merge", "rows", "--output", path])).code, 0);
  const file = openSafetensors(join(path, "model.safetensors"));
  for (const { storage } of file.arrays.values()) assert.equal(storage, "F32");
  file.dispose();
  assert.ok(!("quantization_config" in json(path, "config.json")));
});

test("vllm #10798, PR #6909, TensorRT-LLM #1668, peft #2733: the scale of an rsLoRA is in every file that it is saved in", async () => {
  const peft = json(folderOf("rows"), "adapter_config.json");
  assert.deepEqual([peft.use_rslora, peft.lora_alpha, peft.r], [true, 8, 4]);
  // All-linear has layers that AdapterHub's files cannot hold, so there are none to be misread.
  assert.ok(!existsSync(join(folderOf("rows"), "adapterhub")));
  const few = folderOf("few");
  await trainAs("few", "rslora[r=4, lora_alpha=8, target_modules=[q_proj, v_proj]]");
  const hub = join(few, "adapterhub/codefudge");
  // AdapterHub divides by r alone: its alpha is the one of the same scale.
  assert.equal(json(hub, "adapter_config.json").config.alpha, 16);
  const [trained, read] = [await lossesOf(shop.model, few), await lossesOf(shop.model, hub)];
  assert.ok(farthest(trained, await lossesOf(shop.model, null)) > 1e-3);
  assert.ok(farthest(trained, read) < 1e-6);
});

test("mlx-lm #1119, unsloth-zoo PR #957, llama.cpp #10551: an adapter in MLX's files, whose arrays lie the other way, is refused", async () => {
  const folder = folderOf("mlx");
  const arrays = new Map([
    ["model.layers.0.self_attn.q_proj.lora_a", { shape: [32, 4], data: new Float32Array(128) }],
    ["model.layers.0.self_attn.q_proj.lora_b", { shape: [4, 32], data: new Float32Array(128) }],
  ]);
  mkdirSync(folder, { recursive: true });
  writeSafetensors(join(folder, "adapters.safetensors"), arrays);
  const config = { fine_tune_type: "lora", num_layers: 2, lora_parameters: { rank: 4, scale: 20 } };
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
  const base = openBase(shop.model);
  assert.throws(
    () => openAdapter(folder, base),
    /of PEFT \(peft_type\) or AdapterHub \(config\).*found neither/,
  );
  base.source.dispose();
});

test("peft #2699, #2566, PR #2118, mlx-lm #1725: an adapter that would load as nothing is refused, by the names it has", async () => {
  const renamed = folderOf("renamed");
  cpSync(folderOf("rows"), renamed, { recursive: true });
  const path = join(renamed, "adapter_model.safetensors");
  // Of the same length, so that the file stays whole: a prefix as another library writes it.
  const bytes = Buffer.from(
    readFileSync(path).toString("latin1").replaceAll("self_attn", "attention"),
    "latin1",
  );
  writeFileSync(path, bytes);
  const { code, stderr } = await inShop(["evaluate", "renamed", "--samples", "1"]);
  assert.equal(code, 1);
  assert.match(stderr, /attention/);
});

test("adapters #661: a bottleneck is saved in the file that is opened unasked and as safetensors, both whole", async () => {
  const losses = [];
  for (const file of ["pytorch_adapter.bin", "adapter.safetensors"]) {
    const folder = join(shop.folder, `without-${file}`);
    cpSync(folderOf("neck"), folder, { recursive: true });
    rmSync(join(folder, file));
    losses.push(await lossesOf(shop.model, folder));
  }
  assert.ok(farthest(losses[0]!, await lossesOf(shop.model, null)) > 0.01);
  assert.deepEqual(losses[0], losses[1]);
});

test("LLaMA-Factory #2509, mlx-examples #1095, OpenRLHF #393, vllm PR #27515: what is asked in use has the ids that were trained", async () => {
  const { tokenizer, source } = openBase(shop.model);
  const items = await heldOut();
  assert.ok(items.length > 2);
  for (const { request, rendered } of items) {
    const prompt = await renderPrompt(tokenizer, formats.region, request);
    assert.deepEqual([...rendered.ids.subarray(0, rendered.promptLength)], [...prompt]);
  }
  source.dispose();
});
