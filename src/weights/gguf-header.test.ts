import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ggufBytes, llamaMetadata, type Sample } from "../../test/gguf-bytes.ts";
import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { openGguf } from "./gguf.ts";

const folder = mkdtempSync(join(tmpdir(), "codefudge-gguf-header-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "model.gguf");

const sample: Sample = {
  metadata: {
    ...llamaMetadata({ hidden: 32, heads: 2, keyValueHeads: 1, blocks: 1 }),
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.ggml.add_bos_token": true,
  },
  tensors: [
    { name: "token_embd.weight", storage: "Q4_1", shape: [3, 32] },
    { name: "blk.0.attn_q.weight", storage: "F16", shape: [32, 32] },
  ],
};
const good = ggufBytes(sample);

function open(bytes: Uint8Array): void {
  writeFileSync(path, bytes);
  const source = openGguf(path);
  for (const name of source.arrays.keys()) source.read(name);
  source.dispose();
}

function refuses(bytes: Uint8Array, message: RegExp): void {
  assert.throws(() => open(bytes), { name: "UserError", message });
}

/** A copy with a 32- or 64-bit number written over. */
function patched(at: number, value: number | bigint): Buffer {
  const bytes = Buffer.from(good);
  if (typeof value === "bigint") bytes.writeBigUInt64LE(value, at);
  else bytes.writeUInt32LE(value, at);
  return bytes;
}

const TENSOR_COUNT = 8;
const KEY_COUNT = 16;
const FIRST_KEY = 24;
const embedding = good.indexOf("token_embd.weight") + "token_embd.weight".length;
const tokens = good.indexOf("tokenizer.ggml.tokens") + "tokenizer.ggml.tokens".length;

test("a sound file opens", () => open(good));

test("each damaged field is one sentence with the limit and what was found", () => {
  refuses(Buffer.from("GG"), /does not start with GGUF/);
  refuses(Buffer.from("PK\u0003\u0004 something else"), /does not start with GGUF/);
  refuses(patched(4, 1), /found version 1/);
  refuses(patched(4, 0x03000000), /found big-endian numbers/);
  refuses(patched(TENSOR_COUNT, 2n ** 40n), /at most 65536 arrays, found 1099511627776/);
  refuses(patched(KEY_COUNT, 2n ** 63n), /at most 65536 metadata keys, found 9223372036854775808/);
  refuses(patched(FIRST_KEY, 70_000n), /at most 65535 bytes in a metadata key, found 70000/);
  refuses(patched(tokens, 14), /a metadata type from 0 to 12, found 14/);
  refuses(patched(tokens + 4, 9), /arrays of numbers or strings, found element type 9/);
  refuses(patched(tokens + 8, 2n ** 32n), /at most 8388608 elements in metadata arrays, found 4294967296/);
  refuses(patched(tokens + 8, 1_000_000n), /cut short/);
  refuses(patched(embedding, 5), /at most 4 dimensions for token_embd\.weight, found 5/);
  refuses(patched(embedding + 4, 33n), /in blocks of 32 \(Q4_1\), found rows of 33/);
  refuses(patched(embedding + 4, 0n), /1 to 4294967296 elements in token_embd\.weight, found 0/);
  refuses(patched(embedding + 12, 2n ** 31n), /1 to 4294967296 elements/);
  refuses(patched(embedding + 20, 10), /stored as one of F32.*found Q2_K: .*Q4_K being the nearest/);
  refuses(patched(embedding + 20, 999), /found type 999/);
  refuses(patched(embedding + 24, 7n), /a multiple of 32, found offset 7/);
  refuses(patched(embedding + 24, 64n), /do not overlap/);
  refuses(patched(embedding + 24, 2n ** 40n), /cut short/);
});

test("a name given twice is refused", () => {
  const twice = { ...sample, tensors: [sample.tensors[0]!, sample.tensors[0]!] };
  refuses(ggufBytes(twice), /found token_embd\.weight twice/);
});

test("an alignment that is no power of two is refused", () => {
  const odd = { ...sample, metadata: { ...sample.metadata, "general.alignment": 48 } };
  refuses(ggufBytes(odd), /power of two from 8 to 65536, found 48/);
});

test("a file cut anywhere is refused before any weight is read", () => {
  const expected = new RegExp(`at least ${good.length} bytes .*, found ${good.length - 1}: .* cut short`);
  refuses(good.subarray(0, good.length - 1), expected);
  for (let length = 0; length < good.length; length += 13) {
    refuses(good.subarray(0, length), /cut short|does not start with GGUF/);
  }
});

test("3,000 random damages: a sentence or a sound model, never a crash", () => {
  const random = createRandom(7);
  const headerLength = good.length - 2048 - 64;
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(good);
    for (let i = random.below(4); i >= 0; i--) {
      const special = [0, 1, 127, 128, 255][random.below(5)]!;
      bytes[random.below(headerLength)] = random.below(2) === 0 ? special : random.below(256);
    }
    try {
      open(bytes);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refused++;
    }
  }
  assert.ok(refused > 1000);
});
