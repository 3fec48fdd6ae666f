import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { trainBpe } from "./train.ts";

function golden(name: string): string {
  return readFileSync(new URL(`../../test/golden/${name}`, import.meta.url), "utf8");
}

const texts = [...(JSON.parse(golden("tokenizers/strings.json")) as string[]), golden("smollm2/snippet.txt")];
const specialTokens = ["<|end|>", "<|start|>"] as const;

function modelOf(vocabSize: number): { vocab: Record<string, number>; merges: string[][] } {
  return JSON.parse(trainBpe(texts, { vocabSize, specialTokens }).files()["tokenizer.json"]!).model;
}

test("vocabulary and merges are those of the Python trainer", () => {
  const { metadata } = JSON.parse(golden("tokenizers/smollm.json")) as { metadata: Record<string, string[]> };
  const { vocab, merges } = modelOf(420);
  const tokens = metadata["tokenizer.ggml.tokens"]!;
  assert.deepEqual(new Map(Object.entries(vocab)), new Map(tokens.map((token, id) => [token, id])));
  assert.deepEqual(
    merges.map((pair) => pair.join(" ")),
    metadata["tokenizer.ggml.merges"],
  );
});

test("a smaller vocabulary is the beginning of a larger one", () => {
  assert.deepEqual(modelOf(300).merges, modelOf(420).merges.slice(0, 300 - 258));
});

test("it stops when no pair occurs twice", async () => {
  const tokenizer = trainBpe(["ab ab ab xyz"], { vocabSize: 5000, specialTokens: ["<|end|>"] });
  // a b → ab, then Ġ ab; ' xyz' occurs once.
  assert.equal(tokenizer.vocabSize, 257 + 2);
  assert.deepEqual(await tokenizer.encode("ab ab"), [257, 258]);
});

test("any string comes back whole", async () => {
  const tokenizer = trainBpe(texts, { vocabSize: 400, specialTokens });
  const random = createRandom(3);
  const planes = [0x20, 0x7f, 0x250, 0x3000, 0xd7ff, 0x1f600, 0x10ffff];
  for (let round = 0; round < 500; round++) {
    const points = Array.from({ length: random.below(40) }, () => {
      const point = random.below(planes[random.below(planes.length)]! + 1);
      return point >= 0xd800 && point <= 0xdfff ? 0x20 : point;
    });
    const text = String.fromCodePoint(...points);
    assert.equal(await tokenizer.decode(await tokenizer.encode(text)), text);
  }
});

test("special tokens come first, end the sequence, and are not read in text", async () => {
  const tokenizer = trainBpe(texts, { vocabSize: 400, specialTokens });
  const { eosId, bosId, addBos } = tokenizer;
  assert.deepEqual({ eosId, bosId, addBos }, { eosId: 0, bosId: undefined, addBos: false });
  const ids = await tokenizer.encode("<|end|>");
  assert.ok(ids.length > 1 && ids.every((id) => id >= specialTokens.length));
  assert.equal(await tokenizer.decode([0, ...ids, 1]), "<|end|>");
});

test("a vocabulary too small for the bytes is refused", () => {
  assert.throws(() => trainBpe(texts, { vocabSize: 257, specialTokens }), {
    name: "UserError",
    message: /at least 258 .*found 257/,
  });
});
