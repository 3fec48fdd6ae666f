// What users of other trainers complained about for one kind of model or one form of its weights, one test each, named
// after where it was said: GGUF files, grouped heads, a T5 with a head of its own, LongT5.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createAdapter } from "../src/adapters/create.ts";
import { openAdapter } from "../src/adapters/open.ts";
import { parseAdapter } from "../src/adapters/options.ts";
import { saveAdapter } from "../src/adapters/save.ts";
import { defaultsOf } from "../src/base/options.ts";
import { createRandom } from "../src/base/random.ts";
import { openBase } from "../src/generation/base.ts";
import { createAnyModel } from "../src/models/table.ts";
import type { Sequence } from "../src/training/batch.ts";
import { sequenceLosses } from "../src/training/loss.ts";
import { type NetworkOptions, openNetwork } from "../src/training/network.ts";
import { resolveOptions, trainOptions } from "../src/training/options.ts";
import { train } from "../src/training/train.ts";
import { openFolder } from "../src/weights/folder.ts";
import { ggufBytes, llamaMetadata } from "./gguf-bytes.ts";
import { createWorkshop, run } from "./tiny.ts";

const temporary = mkdtempSync(join(tmpdir(), "codefudge-complaints-"));
after(() => rmSync(temporary, { recursive: true }));
const device = { threads: 1, arena: true };

const random = createRandom(5);
const sequences: Sequence[] = Array.from({ length: 4 }, () => ({
  ids: Int32Array.from({ length: 14 }, () => 2 + random.below(50)),
  promptLength: 8,
}));

async function lossesWith(options: Omit<NetworkOptions, "trainable" | "device">): Promise<number[]> {
  const network = openNetwork({ ...options, trainable: "none", device });
  const losses = await sequenceLosses(network, sequences);
  await network.dispose();
  return [...losses];
}

/** Losses of a base, of an adapter that was trained on it, and of that adapter's files. */
async function trainAndOpen(base: string, text: string) {
  const { config, read } = openFolder(new URL(`golden/${base}`, import.meta.url).pathname);
  const model = createAnyModel(config);
  const folder = mkdtempSync(join(temporary, "adapter-"));
  const adapter = createAdapter(parseAdapter(text), { model, read }, createRandom(1));
  const engine = openNetwork({ model, read, adapter, trainable: "adapter", device });
  const given = { max_steps: 3, learning_rate: 0.05, eval_strategy: "no" };
  const options = resolveOptions({ ...defaultsOf(trainOptions), ...given }, "adapter");
  const { signal } = new AbortController();
  const steps = train({
    ...{ engine, sequences, validation: [], options, batch: 1, folder, identity: "one", signal },
  });
  for await (const _ of steps);
  const losses = {
    base: await lossesWith({ model, read, adapter: null }),
    trained: [...(await sequenceLosses(engine, sequences))],
  };
  await engine.dispose();
  saveAdapter(folder, adapter, { model, name: "code", base, base_sha256: "" });
  const opened = openAdapter(folder, { model, read });
  return { ...losses, opened: await lossesWith({ model, read, adapter: opened }), folder };
}

function assertKept({ base, trained, opened }: Awaited<ReturnType<typeof trainAndOpen>>): void {
  assert.deepEqual(opened, trained);
  assert.ok(
    base.every((loss, i) => loss - trained[i]! > 0.1),
    "it was trained",
  );
}

test("adapters #459: a LongT5 can have adapters", async () => {
  assertKept(await trainAndOpen("longt5/tglobal", "pfeiffer+inv"));
});

test("adapters PR #629: a T5 with a head of its own keeps it beside an adapter, and trains it where that is wished", async () => {
  const beside = await trainAndOpen("t5/v1.1", "pfeiffer");
  assertKept(beside);
  assert.ok(!existsSync(join(beside.folder, "pytorch_model_head.bin")));
  const whole = await trainAndOpen("t5/v1.1", "pfeiffer[modules_to_save=lm_head]");
  assertKept(whole);
  assert.notDeepEqual(whole.trained, beside.trained);
});

/** 32 values as 4-bit steps of a power of two around 0: a half-precision scale, then the first 16 in the low halves. */
function q4Block(values: Float32Array): Uint8Array {
  const exponent = Math.ceil(Math.log2(Math.max(...values.map(Math.abs), 2 ** -10) / 7));
  const block = new Uint8Array(18);
  new DataView(block.buffer).setUint16(0, (exponent + 15) << 10, true);
  const step = (value: number) => Math.max(0, Math.min(15, Math.round(value / 2 ** exponent) + 8));
  for (let i = 0; i < 16; i++) block[2 + i] = step(values[i]!) | (step(values[16 + i]!) << 4);
  return block;
}

const q4Bytes = (values: Float32Array) =>
  Buffer.concat(
    Array.from({ length: values.length / 32 }, (_, i) => q4Block(values.subarray(32 * i, 32 * i + 32))),
  );

/** A Llama folder as a GGUF file: rows of q and k interleaved by heads, the tokenizer in the metadata. */
function writeGguf(path: string, folder: string, matrices: "F32" | "Q4_0" = "F32"): void {
  const { config, read } = openFolder(folder);
  const [heads, keyValueHeads, blocks] = [
    "num_attention_heads",
    "num_key_value_heads",
    "num_hidden_layers",
  ].map((key) => Number(config[key])) as [number, number, number];
  const arrays = openFolder(folder).arrays;
  const tensors = [...arrays.values()].map(({ name, shape }) => {
    const of = /\.self_attn\.(q|k)_proj\.weight$/.exec(name)?.[1];
    const values = of ? interleave(read(name), shape[0]!, of === "q" ? heads : keyValueHeads) : read(name);
    const storage = shape.length === 2 && shape[1]! % 32 === 0 ? matrices : "F32";
    const bytes = storage === "F32" ? bytesOf(values) : q4Bytes(values);
    return { name: ggufName(name), storage, shape, bytes };
  });
  const metadata = {
    ...llamaMetadata({ hidden: Number(config.hidden_size), heads, keyValueHeads, blocks }),
    "llama.context_length": Number(config.max_position_embeddings),
    "llama.feed_forward_length": Number(config.intermediate_size),
    "llama.rope.freq_base": Number(config.rope_theta),
    ...tokenizerMetadata(folder, Number(config.eos_token_id)),
  };
  writeFileSync(path, ggufBytes({ metadata, tensors }));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** a0 a1 b0 b1 becomes a0 b0 a1 b1 within each head, as llama.cpp's converter permutes them. */
function interleave(values: Float32Array, rows: number, heads: number): Float32Array {
  const [width, size] = [values.length / rows, rows / heads];
  return Float32Array.from(values, (_, at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    const [head, within] = [Math.floor(row / size), row % size];
    const from = head * size + (within % 2) * (size / 2) + Math.floor(within / 2);
    return values[from * width + column]!;
  });
}

const PARTS: readonly (readonly [string, string])[] = [
  ["model.embed_tokens", "token_embd"],
  ["model.norm", "output_norm"],
  ["lm_head", "output"],
  ["model.layers", "blk"],
  ["input_layernorm", "attn_norm"],
  ["post_attention_layernorm", "ffn_norm"],
  ["self_attn.o_proj", "attn_output"],
  ["self_attn.", "attn_"],
  ["mlp.", "ffn_"],
  ["_proj", ""],
];

const ggufName = (name: string) => PARTS.reduce((text, [from, to]) => text.replace(from, to), name);

function tokenizerMetadata(folder: string, eos: number) {
  const json = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8"));
  const added = new Map<number, string>(
    json.added_tokens.map(({ id, content }: { id: number; content: string }) => [id, content]),
  );
  const tokens: string[] = [];
  for (const [token, id] of Object.entries<number>(json.model.vocab)) tokens[id] = token;
  for (const [id, content] of added) tokens[id] = content;
  const merges: (string | string[])[] = json.model.merges;
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": tokens,
    // 3 is a control token, 1 an ordinary one.
    "tokenizer.ggml.token_type": tokens.map((_, id) => (added.has(id) ? 3 : 1)),
    "tokenizer.ggml.merges": merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" "))),
    "tokenizer.ggml.eos_token_id": eos,
  };
}

test("llama.cpp #3852, #11561: a GGUF file with grouped heads is trained as it is, to the bytes that its folder gives", async () => {
  const shop = await createWorkshop(40);
  const gguf = join(shop.folder, "tiny.gguf");
  writeGguf(gguf, shop.model);
  const adapters = [];
  for (const [name, model] of [
    ["folder", shop.model],
    ["file", gguf],
  ] as const) {
    const size = ["--max_length", "256", "--max_steps", "3", "--threads", "1", "--learning_rate", "0.02"];
    const what = ["--model", model, "--run", name, "--target_modules", "q_proj,k_proj,down_proj"];
    const { code, stderr } = await run(["train", ...what, ...size], { cwd: shop.repository });
    assert.equal(code, 0, stderr);
    adapters.push(readFileSync(join(shop.repository, ".codefudge/runs", name, "adapter_model.safetensors")));
  }
  assert.ok(adapters[0]!.equals(adapters[1]!));
  shop.dispose();
});

test("peft #2321: what is merged into four-bit weights answers as base and adapter did, in f32", async () => {
  const shop = await createWorkshop(40);
  const gguf = join(shop.folder, "four-bit.gguf");
  writeGguf(gguf, shop.model, "Q4_0");
  const inShop = async (tokens: readonly string[]) => {
    const { code, stderr } = await run(tokens, { cwd: shop.repository });
    assert.equal(code, 0, stderr);
  };
  const size = ["--max_length", "256", "--max_steps", "3", "--threads", "1", "--learning_rate", "0.02"];
  await inShop([
    "train",
    "--model",
    gguf,
    "--run",
    "four",
    "--target_modules",
    "q_proj,v_proj,gate_proj",
    ...size,
  ]);
  const merged = join(shop.folder, "merged");
  await inShop(["merge", "four", "--output", merged]);
  const base = openBase(gguf);
  const adapter = openAdapter(join(shop.repository, ".codefudge/runs/four"), base);
  const whole = openBase(merged);
  const losses = {
    base: await lossesWith({ ...base, adapter: null }),
    trained: await lossesWith({ ...base, adapter }),
    merged: await lossesWith({ ...whole, adapter: null }),
  };
  for (const { source } of [base, whole]) source.dispose();
  assert.ok(losses.base.some((loss, i) => Math.abs(loss - losses.trained[i]!) > 0.01));
  for (const [i, loss] of losses.trained.entries()) assert.ok(Math.abs(loss - losses.merged[i]!) < 1e-4);
  shop.dispose();
});
