// Files from outside, damaged at random: each is refused in a sentence or read as what it says, within its own bytes
// and in little memory. CODEFUDGE_FUZZ says how many of each kind; 25000 makes 150,000 in all.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../src/base/errors.ts";
import { createRandom, type Random } from "../src/base/random.ts";
import { everyParameter } from "../src/models/encoder-decoder.ts";
import { createAnyModel } from "../src/models/table.ts";
import { byteLetters } from "../src/tokenizer/bytes.ts";
import { tokenizerFromGguf } from "../src/tokenizer/gguf.ts";
import { loadTokenizer } from "../src/tokenizer/load.ts";
import type { Tokenizer } from "../src/tokenizer/tokenizer.ts";
import { trainBpe } from "../src/tokenizer/train.ts";
import { requireParameters } from "../src/weights/match.ts";
import { openWeights } from "../src/weights/open.ts";
import { ggufBytes, llamaMetadata, type Sample, type SampleTensor } from "./gguf-bytes.ts";
import { mutateBytes, mutateJson } from "./mutate.ts";

const ROUNDS = Number(process.env.CODEFUDGE_FUZZ ?? 1500);
const LEAST_REFUSED = 0.3;
const ALL_GOLDEN = new URL("golden/", import.meta.url).pathname;
const GOLDEN = `${ALL_GOLDEN}models/`;
const TEXT = "function a() {\n\treturn 'héllo 12';\n}\n";

const folder = mkdtempSync(join(tmpdir(), "codefudge-malformed-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `attempt` on damages; what it throws must be for a person, and not from beyond a file's end. */
async function fuzz(seed: number, attempt: (random: Random) => void | Promise<void>): Promise<void> {
  const random = createRandom(seed);
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const state = random.state();
    try {
      await attempt(random);
    } catch (error) {
      const place = `round ${round}, generator ${JSON.stringify(state)}`;
      if (!(error instanceof UserError))
        throw new Error(`Not for a person: ${place}, ${(error as Error).stack}`);
      checkSentence(error.message, place);
      refused++;
    }
  }
  assert.ok(refused > ROUNDS * LEAST_REFUSED, `only ${refused} of ${ROUNDS} were refused`);
  const megabytes = process.resourceUsage().maxRSS / 1024;
  assert.ok(megabytes < 512, `${megabytes} MB in memory`);
}

function checkSentence(message: string, place: string): void {
  assert.match(message, /^(Expected|In the) [\s\S]*(found|expected) /, place);
  assert.doesNotMatch(message, /changed while it was read/, `a read beyond the end: ${place}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing may move the terminal's cursor.
  assert.doesNotMatch(message, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/, place);
  assert.ok(message.length < 4000, `${message.length} characters: ${place}`);
}

function openAll(path: string): void {
  const source = openWeights(path);
  try {
    for (const name of source.arrays.keys()) source.read(name);
    requireParameters(everyParameter(createAnyModel(source.config)), source);
  } finally {
    source.dispose();
  }
}

async function roundTrip(tokenizer: Tokenizer): Promise<void> {
  const ids = await tokenizer.encode(TEXT);
  await tokenizer.decode([...ids, tokenizer.eosId, 3]);
}

test("GGUF", async () => {
  const sample: Sample = {
    metadata: {
      ...llamaMetadata({ hidden: 32, heads: 2, keyValueHeads: 1, blocks: 1 }),
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "qwen2",
      "tokenizer.ggml.tokens": ["<|end|>", "a", "b", "ab"],
      "tokenizer.ggml.merges": ["a b"],
    },
    tensors: [
      { name: "token_embd.weight", storage: "Q4_1", shape: [4, 32] },
      { name: "output_norm.weight", storage: "F32", shape: [32] },
      { name: "blk.0.attn_q.weight", storage: "F16", shape: [32, 32] },
      { name: "blk.0.ffn_up.weight", storage: "Q6_K", shape: [2, 256] },
    ],
  };
  // Nothing divided by 1: what a factor of 1 would give.
  const divisors: SampleTensor = {
    name: "rope_freqs.weight",
    storage: "F32",
    shape: [8],
    bytes: new Uint8Array(Float32Array.of(1, 1, 1, 1, 1, 1, 1, 1).buffer),
  };
  const llamas = [sample, { ...sample, tensors: [...sample.tensors, divisors] }].map(ggufBytes);
  const t5s = ["v1.0", "v1.1"].map((name) => readFileSync(`${ALL_GOLDEN}t5/${name}/model.gguf`));
  // Damages lie in the header, or a little behind it.
  const goods = [
    ...llamas.map((good) => [good, good.length - 2800] as const),
    ...t5s.map((good) => [good, 6000] as const),
  ];
  const path = join(folder, "model.gguf");
  await fuzz(1, (random) => {
    const [good, front] = goods[random.below(goods.length)]!;
    writeFileSync(path, mutateBytes(good, random, front));
    openAll(path);
  });
});

test("config.json of every other architecture", async () => {
  const names = ["t5/v1.0", "t5/v1.1", "longt5/local", "longt5/tglobal", "xlnet/tied", "xlnet/untied"];
  const places = names.map((name) => {
    const path = join(folder, name.replace("/", "-"));
    mkdirSync(path);
    cpSync(`${ALL_GOLDEN}${name}/model.safetensors`, join(path, "model.safetensors"));
    return { path, config: JSON.parse(readFileSync(`${ALL_GOLDEN}${name}/config.json`, "utf8")) };
  });
  await fuzz(6, (random) => {
    const { path, config } = places[random.below(places.length)]!;
    writeFileSync(join(path, "config.json"), mutateJson(config, random));
    openAll(path);
  });
});

test("safetensors, a header's bytes and its entries", async () => {
  const path = join(folder, "weights");
  mkdirSync(path);
  writeFileSync(join(path, "config.json"), readFileSync(`${GOLDEN}qwen3/config.json`));
  const header = {
    __metadata__: { format: "pt" },
    "model.norm.weight": { dtype: "BF16", shape: [32], data_offsets: [0, 64] },
    "model.embed_tokens.weight": { dtype: "F32", shape: [4, 2], data_offsets: [64, 96] },
  };
  await fuzz(2, (random) => {
    const text = Buffer.from(random.below(2) === 0 ? JSON.stringify(header) : mutateJson(header, random));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const whole = Buffer.concat([length, text, Buffer.alloc(96)]);
    const bytes = random.below(2) === 0 ? whole : mutateBytes(whole, random, 8 + text.length);
    writeFileSync(join(path, "model.safetensors"), bytes);
    openAll(path);
  });
});

test("config.json and the index of shards", async () => {
  const path = join(folder, "shards");
  mkdirSync(path);
  const read = (name: string) => readFileSync(`${GOLDEN}qwen2/${name}`);
  const index = "model.safetensors.index.json";
  for (let i = 1; i <= 3; i++) {
    const name = `model-0000${i}-of-00003.safetensors`;
    writeFileSync(join(path, name), read(name));
  }
  const configs = ["llama3", "qwen2", "qwen3"].map((name) =>
    JSON.parse(readFileSync(`${GOLDEN}${name}/config.json`, "utf8")),
  );
  await fuzz(3, (random) => {
    const either = random.below(4);
    const config = configs[either === 0 ? 1 : random.below(configs.length)];
    writeFileSync(
      join(path, "config.json"),
      either === 0 ? JSON.stringify(config) : mutateJson(config, random),
    );
    writeFileSync(
      join(path, index),
      either === 0 ? mutateJson(JSON.parse(`${read(index)}`), random) : read(index),
    );
    openAll(path);
  });
});

test("tokenizer files", async () => {
  const byteLevel = trainBpe([TEXT.repeat(3)], {
    vocabSize: 300,
    specialTokens: ["<|end|>", "<|pad|>"],
  }).files();
  const json = JSON.parse(byteLevel["tokenizer.json"]!);
  const config = JSON.parse(byteLevel["tokenizer_config.json"]!);
  const small = { ...json, model: { ...json.model, vocab: shorten(json.model.vocab), merges: [] } };
  await fuzz(4, async (random) => {
    const original = random.below(4) === 0 ? unigram : random.below(2) === 0 ? small : json;
    const spoiled = random.below(5) > 0;
    await roundTrip(
      loadTokenizer({
        "tokenizer.json": spoiled ? mutateJson(original, random) : JSON.stringify(original),
        "tokenizer_config.json": spoiled ? JSON.stringify(config) : mutateJson(config, random),
        "generation_config.json": spoiled ? "{}" : mutateJson({ eos_token_id: [0, 1] }, random),
      }),
    );
  });
});

test("a GGUF file's tokenizer", async () => {
  const letters = ["<|end|>", ...byteLetters, "ab"];
  const metadata = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "llama-bpe",
    "tokenizer.ggml.tokens": letters,
    "tokenizer.ggml.token_type": letters.map((_, id) => (id === 0 ? 3 : 1)),
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.bos_token_id": 0,
    "tokenizer.ggml.eos_token_id": 0,
  };
  await fuzz(5, async (random) => {
    let spoiled: unknown;
    try {
      spoiled = JSON.parse(mutateJson(metadata, random));
    } catch {
      return; // not JSON any more, which metadata always is
    }
    if (typeof spoiled !== "object" || spoiled === null) return;
    await roundTrip(tokenizerFromGguf(spoiled as Record<string, unknown>));
  });
});

/** Few letters, so that damages hit everything else more often. */
function shorten(vocab: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(vocab).filter(([, id]) => id < 90));
}

const unigram = {
  version: "1.0",
  added_tokens: [{ id: 0, content: "<|end|>", special: true, normalized: false }],
  normalizer: {
    type: "Sequence",
    normalizers: [{ type: "NFKC" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }],
  },
  pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  model: {
    type: "Unigram",
    unk_id: 1,
    byte_fallback: false,
    vocab: [..."<u▁abcdefgh(){};'\n\t"].map((piece, i) => [
      i === 0 ? "<|end|>" : i === 1 ? "<unk>" : piece,
      -i,
    ]),
  },
};
