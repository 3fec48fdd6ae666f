// The real SmolLM2-135M-Instruct (Q4_1), read and tokenized by us, against what make.py recorded. Needs the file:
// the environment variable CODEFUDGE_SMOLLM2 names it, and without it these tests say so and are skipped.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Decoder } from "../../../src/generation/decoder.ts";
import { createModel } from "../../../src/models/table.ts";
import { tokenizerFromGguf } from "../../../src/tokenizer/gguf.ts";
import { openWeights } from "../../../src/weights/open.ts";
import { openSafetensors } from "../../../src/weights/safetensors.ts";

const path = process.env.CODEFUDGE_SMOLLM2;
const skip = path === undefined && "CODEFUDGE_SMOLLM2 does not name SmolLM2's .gguf file";

function golden(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
}

test("SmolLM2: every array has the bits of the gguf package", { skip }, () => {
  const { count, sha256 } = golden("arrays.json") as { count: number; sha256: string };
  const source = openWeights(path!);
  const hash = createHash("sha256");
  for (const name of [...source.arrays.keys()].sort()) hash.update(new Uint8Array(source.read(name).buffer));
  assert.equal(source.arrays.size, count);
  assert.equal(hash.digest("hex"), sha256);
  source.dispose();
});

test("SmolLM2: ids are the reference's, and decode to the text", { skip }, async () => {
  const source = openWeights(path!);
  assert.ok(source.tokenizer.kind === "gguf");
  const tokenizer = tokenizerFromGguf(source.tokenizer.metadata);
  source.dispose();
  for (const { text, ids } of golden("ids.json") as { text: string; ids: number[] }[]) {
    assert.deepEqual(await tokenizer.encode(text), ids);
    assert.equal(await tokenizer.decode(ids), text);
  }
  const { vocabSize, bosId, eosId, addBos } = tokenizer;
  assert.deepEqual(
    { vocabSize, bosId, eosId, addBos },
    { vocabSize: 49152, bosId: 1, eosId: 2, addBos: false },
  );
});

test("SmolLM2: logits of 64 tokens of code are the reference's within 1e-3", { skip }, async () => {
  const source = openWeights(path!);
  const wanted = openSafetensors(new URL("logits.safetensors", import.meta.url).pathname);
  const [ids, logits] = [Array.from(wanted.read("ids"), Number), wanted.read("logits")];
  const columns = logits.length / ids.length;
  const device = { threads: 2, arena: true };
  const model = createModel(source.config);
  const decoder = new Decoder({ model, read: source.read, adapter: null, capacity: 64, device });
  for (const [position, id] of ids.entries()) {
    const found = await decoder.append([id]);
    for (let column = 0; column < columns; column++) {
      const difference = Math.abs(found[column * 97]! - logits[position * columns + column]!);
      assert.ok(difference < 1e-3, `position ${position}, id ${column * 97}: off by ${difference}`);
    }
  }
  await decoder.dispose();
  source.dispose();
  wanted.dispose();
});
