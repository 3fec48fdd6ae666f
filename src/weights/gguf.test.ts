import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ggufBytes, llamaMetadata, type Sample, type SampleTensor } from "../../test/gguf-bytes.ts";
import { openGguf, separateHalves } from "./gguf.ts";

const folder = mkdtempSync(join(tmpdir(), "codefudge-gguf-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function floats(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

function counting(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** One block, two heads of four rows; k has one head. */
const tensors: readonly SampleTensor[] = [
  { name: "token_embd.weight", storage: "F32", shape: [6, 8], bytes: floats(counting(48)) },
  { name: "blk.0.attn_q.weight", storage: "F32", shape: [8, 8], bytes: floats(counting(64)) },
  { name: "blk.0.attn_k.weight", storage: "F32", shape: [4, 8], bytes: floats(counting(32)) },
  { name: "blk.0.attn_v.weight", storage: "F32", shape: [4, 8], bytes: floats(counting(32)) },
  { name: "output_norm.weight", storage: "F32", shape: [8], bytes: floats(counting(8)) },
];
const sample: Sample = {
  metadata: llamaMetadata({ hidden: 8, heads: 2, keyValueHeads: 1, blocks: 1 }),
  tensors,
};

test("names, shapes and config are Hugging Face's", () => {
  const source = openGguf(write("names.gguf", ggufBytes(sample)));
  assert.deepEqual(
    [...source.arrays.values()].map(({ name, storage, shape }) => ({ name, storage, shape })),
    [
      { name: "model.embed_tokens.weight", storage: "F32", shape: [6, 8] },
      { name: "model.layers.0.self_attn.q_proj.weight", storage: "F32", shape: [8, 8] },
      { name: "model.layers.0.self_attn.k_proj.weight", storage: "F32", shape: [4, 8] },
      { name: "model.layers.0.self_attn.v_proj.weight", storage: "F32", shape: [4, 8] },
      { name: "model.norm.weight", storage: "F32", shape: [8] },
    ],
  );
  assert.deepEqual(source.config, {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_act: "silu",
    hidden_size: 8,
    intermediate_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    rms_norm_eps: 1e-5,
    rope_theta: 10000.5,
    max_position_embeddings: 128,
    vocab_size: 6,
    tie_word_embeddings: true,
    attention_bias: false,
    mlp_bias: false,
    eos_token_id: 2,
    torch_dtype: "float32",
  });
  source.dispose();
});

test("rows of q and k are put back in Hugging Face's order, those of v stay", () => {
  const source = openGguf(write("rows.gguf", ggufBytes(sample)));
  const rows = (name: string) => {
    const values = source.read(`model.layers.0.self_attn.${name}_proj.weight`);
    return Array.from({ length: values.length / 8 }, (_, i) => values[i * 8]! / 8);
  };
  // The file has each head as a0 b0 a1 b1; Hugging Face has a0 a1 b0 b1.
  assert.deepEqual(rows("q"), [0, 2, 1, 3, 4, 6, 5, 7]);
  assert.deepEqual(rows("k"), [0, 2, 1, 3]);
  assert.deepEqual(rows("v"), [0, 1, 2, 3]);
  source.dispose();
});

test("separating halves is the inverse of llama.cpp's permute", () => {
  const [heads, half] = [3, 5];
  const rows = heads * 2 * half;
  // permute: reshape(heads, 2, half, …).swapaxes(1, 2)
  const permuted = Float32Array.from({ length: rows }, (_, row) => {
    const [head, pair, side] = [Math.floor(row / (2 * half)), Math.floor((row % (2 * half)) / 2), row % 2];
    return head * 2 * half + side * half + pair;
  });
  assert.deepEqual([...separateHalves(permuted, rows, heads)], counting(rows));
});

test("version 2 is read, an output array unties the embeddings, biases count", () => {
  const extra: SampleTensor[] = [
    { name: "output.weight", storage: "Q8_0", shape: [6, 32] },
    { name: "blk.0.attn_q.bias", storage: "F32", shape: [8], bytes: floats(counting(8)) },
  ];
  const bytes = ggufBytes({ ...sample, version: 2, tensors: [...tensors, ...extra] });
  const source = openGguf(write("two.gguf", bytes));
  assert.equal(source.config.tie_word_embeddings, false);
  assert.equal(source.config.attention_bias, true);
  assert.deepEqual([...source.read("model.layers.0.self_attn.q_proj.bias")], [0, 2, 1, 3, 4, 6, 5, 7]);
  assert.deepEqual(source.read("lm_head.weight"), new Float32Array(192));
  source.dispose();
});

test("arrays longer than one piece are read whole", () => {
  const bytes = new Uint8Array(34 * 130_000);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 37) % 101;
  const tensor: SampleTensor = { name: "token_embd.weight", storage: "Q8_0", shape: [130_000, 32], bytes };
  const source = openGguf(write("long.gguf", ggufBytes({ ...sample, tensors: [tensor] })));
  const values = source.read("model.embed_tokens.weight");
  const half = (at: number) => new DataView(bytes.buffer).getUint16(at, true);
  for (const block of [0, 1, 123_361, 123_362, 129_999]) {
    const bits = half(block * 34);
    const exponent = bits >> 10;
    const scale =
      exponent === 0 ? (bits & 1023) * 2 ** -24 : (1 + (bits & 1023) / 1024) * 2 ** (exponent - 15);
    assert.equal(values[block * 32 + 31], Math.fround(scale * bytes[block * 34 + 33]!));
  }
  source.dispose();
});

test("the hash is that of the file", () => {
  const bytes = ggufBytes(sample);
  const source = openGguf(write("hash.gguf", bytes));
  assert.equal(source.hash(), createHash("sha256").update(bytes).digest("hex"));
  source.dispose();
});

test("a Qwen2's rows stay in order, its biases are named, and key_length is head_dim", () => {
  const { "general.architecture": _, ...llama } = sample.metadata;
  const metadata = Object.fromEntries([
    ["general.architecture", "qwen2"],
    ...Object.entries(llama).map(([key, value]) => [key.replace("llama.", "qwen2."), value] as const),
    ["qwen2.attention.key_length", 4],
  ]);
  const bias: SampleTensor = {
    name: "blk.0.attn_q.bias",
    storage: "F32",
    shape: [8],
    bytes: floats(counting(8)),
  };
  const source = openGguf(write("qwen2.gguf", ggufBytes({ metadata, tensors: [...tensors, bias] })));
  assert.deepEqual([...source.read("model.layers.0.self_attn.q_proj.bias")], counting(8));
  assert.deepEqual([...source.read("model.layers.0.self_attn.q_proj.weight")], counting(64));
  const { model_type, architectures, head_dim } = source.config;
  assert.deepEqual(
    { model_type, architectures, head_dim },
    {
      model_type: "qwen2",
      architectures: ["Qwen2ForCausalLM"],
      head_dim: 4,
    },
  );
  assert.ok(!("mlp_bias" in source.config) && !("attention_bias" in source.config));
  source.dispose();
});

test("Llama 3.1's stretched positions are found again from their divisors, others are refused", () => {
  // Heads of 32 with theta 500,000: wavelengths from 6 to 2,000,000 around the 8,192 of the original training.
  const metadata = {
    ...llamaMetadata({ hidden: 64, heads: 2, keyValueHeads: 1, blocks: 1 }),
    "llama.rope.freq_base": 500000,
  };
  const divisors = Array.from({ length: 16 }, (_, i) => {
    const wave = 2 * Math.PI * 500000 ** (i / 16);
    const smooth = (8192 / wave - 1) / 3;
    return wave < 2048 ? 1 : wave > 8192 ? 32 : 1 / ((1 - smooth) / 32 + smooth);
  });
  const open = (values: readonly number[]) =>
    openGguf(
      write(
        "rope.gguf",
        ggufBytes({
          metadata,
          tensors: [
            { name: "rope_freqs.weight", storage: "F32", shape: [values.length], bytes: floats(values) },
            { name: "token_embd.weight", storage: "F32", shape: [6, 64] },
          ],
        }),
      ),
    );
  const source = open(divisors);
  assert.deepEqual(source.config.rope_scaling, {
    rope_type: "llama3",
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  });
  assert.deepEqual([...source.arrays.keys()], ["model.embed_tokens.weight"]);
  source.dispose();
  const other = divisors.map((divisor, i) => (i === 3 ? 2 : divisor));
  assert.throws(() => open(other), {
    name: "UserError",
    message: /found other divisors in rope_freqs\.weight/,
  });
  assert.throws(() => open(divisors.slice(1)), {
    name: "UserError",
    message: /to have 16 values, found \[15\]/,
  });
});

test("what is not supported is named, with what is", () => {
  const other = { ...sample, metadata: { ...sample.metadata, "general.architecture": "mamba" } };
  assert.throws(() => openGguf(write("other.gguf", ggufBytes(other))), {
    name: "UserError",
    message: /architecture llama, qwen2, qwen3, t5 .*found mamba: the nearest supported one is llama/,
  });
  const experts: SampleTensor = { name: "blk.0.ffn_gate_exps.weight", storage: "F32", shape: [2, 8, 8] };
  const mixture = { ...sample, tensors: [...tensors, experts] };
  assert.throws(() => openGguf(write("mixture.gguf", ggufBytes(mixture))), {
    name: "UserError",
    message: /found blk\.0\.ffn_gate_exps\.weight: this variant is not supported yet/,
  });
  const { "llama.block_count": _, ...incomplete } = sample.metadata;
  assert.throws(() => openGguf(write("incomplete.gguf", ggufBytes({ ...sample, metadata: incomplete }))), {
    name: "UserError",
    message: /a whole number under llama\.block_count/,
  });
});
