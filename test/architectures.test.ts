// Every architecture against transformers and PEFT on tiny random weights: loss and all gradients, logits, greedy
// continuations, and the same weights read from GGUF. The numbers and the script that made them are in
// test/golden/models.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { readPeft } from "../src/adapters/peft.ts";
import { Decoder } from "../src/generation/decoder.ts";
import { createModel } from "../src/models/table.ts";
import { packBatches, type Sequence, targetCount } from "../src/training/batch.ts";
import { Engine } from "../src/training/engine.ts";
import { openFolder } from "../src/weights/folder.ts";
import { openGguf } from "../src/weights/gguf.ts";
import { openSafetensors } from "../src/weights/safetensors.ts";

const GOLDEN = new URL("golden/models/", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${GOLDEN}${path}`, "utf8"));
const { sequences, greedy } = json("batch.json") as {
  sequences: { ids: number[]; promptLength: number }[];
  greedy: { prompt: number[]; newTokens: number };
};
const device = { threads: 1, arena: true };

/** Largest difference over the largest magnitude of an array. */
function relative(found: ArrayLike<number>, wanted: Float32Array): number {
  assert.equal(found.length, wanted.length);
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0) / (size || 1);
}

function open(variant: string) {
  const source = openFolder(`${GOLDEN}${variant}`);
  return { source, model: createModel(source.config) };
}

async function checkGradients(variant: string, kind: "lora" | "full", rows: number): Promise<void> {
  const { source, model } = open(variant);
  const adapter = kind === "lora" ? readPeft(`${GOLDEN}${variant}/adapter`) : null;
  const trainable = kind === "lora" ? "adapter" : "all";
  const engine = new Engine({ model, read: source.read, adapter, trainable, device });
  const members: Sequence[] = sequences.map(({ ids, promptLength }) => ({
    ids: Int32Array.from(ids),
    promptLength,
  }));
  const tokens = members.reduce((n, sequence) => n + targetCount(sequence), 0);
  let nll = 0;
  for (const batch of packBatches(members, rows)) nll += await engine.accumulate(batch);
  const loss = json(`${variant}/expected.json`).loss[kind === "lora" ? "lora" : "base"];
  assert.ok(Math.abs(nll / tokens - loss) / loss < 1e-5, `loss ${nll / tokens}, expected ${loss}`);
  const golden = openSafetensors(`${GOLDEN}${variant}/${kind}_gradients.safetensors`);
  const prefix = kind === "lora" ? "base_model.model." : "";
  const names = [...engine.trained.keys()];
  assert.deepEqual(names.map((name) => prefix + name).sort(), [...golden.arrays.keys()].sort());
  for (const [name, { gradient }] of engine.trained) {
    const difference = relative(
      gradient.map((g) => g / tokens),
      golden.read(prefix + name),
    );
    assert.ok(difference < 1e-4, `${name}: relative difference ${difference}`);
  }
  await engine.dispose();
}

async function checkDecoding(variant: string, kind: "base" | "lora"): Promise<void> {
  const { source, model } = open(variant);
  const adapter = kind === "lora" ? readPeft(`${GOLDEN}${variant}/adapter`) : null;
  const decoder = new Decoder({ model, read: source.read, adapter, capacity: 140, device });
  const golden = openSafetensors(`${GOLDEN}${variant}/logits.safetensors`);
  for (const [i, { ids }] of sequences.entries()) {
    const wanted = golden.read(`${kind}.${i}`);
    decoder.truncate(0);
    for (let at = 0; at < ids.length; at += 5) {
      const end = Math.min(ids.length, at + 5);
      const logits = await decoder.append(ids.slice(at, end));
      const row = wanted.subarray((end - 1) * model.vocab_size, end * model.vocab_size);
      assert.ok(relative(logits, row) < 1e-4, `sequence ${i}, position ${end - 1}`);
    }
  }
  decoder.truncate(0);
  const found: number[] = [];
  let logits = await decoder.append(greedy.prompt);
  while (found.length < greedy.newTokens) {
    found.push(logits.indexOf(logits.reduce((most, value) => Math.max(most, value), -Infinity)));
    logits = await decoder.append([found.at(-1)!]);
  }
  assert.deepEqual(found, json(`${variant}/expected.json`).greedy[kind]);
  await decoder.dispose();
}

/** What the config of a GGUF file need not say, or says in another place. */
const OWN_KEYS = ["dtype", "torch_dtype", "rope_parameters", "rope_scaling", "rope_theta"];

function checkGguf(variant: string): void {
  const folder = open(variant);
  const gguf = openGguf(`${GOLDEN}${variant}/model.gguf`);
  const shapes = (source: typeof gguf) =>
    [...source.arrays.values()].map(({ name, shape }) => `${name} [${shape}]`).sort();
  assert.deepEqual(shapes(gguf), shapes(folder.source));
  for (const name of gguf.arrays.keys()) {
    assert.deepEqual(gguf.read(name), folder.source.read(name), name);
  }
  for (const [key, value] of Object.entries(gguf.config)) {
    if (!OWN_KEYS.includes(key) && key in folder.source.config) {
      assert.deepEqual(value, folder.source.config[key], key);
    }
  }
  assert.deepEqual(createModel(gguf.config).attention, folder.model.attention);
}

for (const variant of ["llama3", "qwen2", "qwen2-untied", "qwen3"]) {
  for (const kind of ["lora", "full"] as const) {
    test(`${variant}: loss and gradients, ${kind}`, () => checkGradients(variant, kind, 1));
  }
  test(`${variant}: loss and gradients, filled up to one length`, () => checkGradients(variant, "lora", 4));
  for (const kind of ["base", "lora"] as const) {
    test(`${variant}: logits and 64 greedy tokens, ${kind}`, () => checkDecoding(variant, kind));
  }
  test(`${variant}: GGUF gives the same weights, names and settings`, () => checkGguf(variant));
}

test("a folder in bf16 and in shards is among them", () => {
  const { source } = open("qwen2");
  assert.ok([...source.arrays.values()].every(({ storage }) => storage === "BF16"));
  const shards = readdirSync(`${GOLDEN}qwen2`).filter((name) => name.endsWith("-of-00003.safetensors"));
  assert.equal(shards.length, 3);
});
