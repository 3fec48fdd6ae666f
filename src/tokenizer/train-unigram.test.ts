import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { loadTokenizer } from "./load.ts";
import { trainUnigram } from "./train-unigram.ts";

function golden<T>(name: string): T {
  return JSON.parse(
    readFileSync(new URL(`../../test/golden/tokenizers/${name}`, import.meta.url), "utf8"),
  ) as T;
}

const strings = golden<string[]>("strings.json");
const specialTokens = ["<|end|>", "<|start|>"] as const;
const base = specialTokens.length + 1 + 256;

function vocabulary(texts: readonly string[], vocabSize: number): [string, number][] {
  const { files } = trainUnigram(texts, { vocabSize, specialTokens });
  return JSON.parse(files()["tokenizer.json"]!).model.vocab;
}

test("ids in the reference's library are the same", async () => {
  const { tokenizer, ids } = golden<{ tokenizer: unknown; ids: number[][] }>("unigram.json");
  const own = loadTokenizer({
    "tokenizer.json": JSON.stringify(tokenizer),
    "tokenizer_config.json": '{"eos_token":"<|end|>"}',
  });
  assert.deepEqual(await own.encodeBatch(strings), ids);
  // What the reference read is what training gives.
  const trained = trainUnigram(strings, { vocabSize: own.vocabSize, specialTokens });
  const scores = (value: unknown) => JSON.parse(JSON.stringify(value), (_, x) => rounded(x));
  assert.deepEqual(scores(JSON.parse(trained.files()["tokenizer.json"]!)), scores(tokenizer));
});

/** Logarithms may differ in their last digit between machines. */
function rounded(value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1e6) / 1e6 : value;
}

test("what occurs often in one piece becomes one, and its probability follows its count", () => {
  const texts = Array.from({ length: 50 }, () => " alpha beta alpha gamma\n");
  const pieces = new Map(vocabulary(texts, base + 40).slice(base));
  for (const word of [" alpha", " beta", " gamma"])
    assert.ok(pieces.has(word), `${word} in ${[...pieces.keys()]}`);
  const times = Math.exp(pieces.get(" alpha")! - pieces.get(" beta")!);
  assert.ok(Math.abs(times - 2) < 0.05, `${times}`);
});

test("the vocabulary is as large as asked for, the best pieces kept, letters among them", () => {
  const licence = readFileSync(new URL("../../LICENSE", import.meta.url), "utf8");
  const small = vocabulary([...strings, licence], 400);
  const large = vocabulary([...strings, licence], 450);
  assert.equal(small.length, 400);
  assert.equal(large.length, 450);
  const letters = new Set([...strings.join("")].slice(0, 40));
  const pieces = new Set(small.map(([piece]) => piece));
  for (const letter of letters) assert.ok(pieces.has(letter), JSON.stringify(letter));
});

test("any string comes back whole, also one that spells a byte's piece or a special token", async () => {
  const tokenizer = trainUnigram(strings, { vocabSize: 420, specialTokens });
  const random = createRandom(3);
  const planes = [0x20, 0x7f, 0x250, 0x3000, 0xd7ff, 0x1f600, 0x10ffff];
  const texts = Array.from({ length: 500 }, () => {
    const points = Array.from({ length: random.below(40) }, () => {
      const point = random.below(planes[random.below(planes.length)]! + 1);
      return point >= 0xd800 && point <= 0xdfff ? 0x20 : point;
    });
    return String.fromCodePoint(...points);
  });
  for (const text of [...texts, "<0x0A>", "a <0xE2><0x96><0x81>b", "<unk>", "<|end|>", "▁"]) {
    const ids = await tokenizer.encode(text);
    assert.ok(ids.every((id) => id > specialTokens.length));
    assert.equal(await tokenizer.decode(ids), text);
  }
});

test("a vocabulary too small for bytes and letters is refused", () => {
  assert.throws(() => trainUnigram(strings, { vocabSize: base + 3, specialTokens }), {
    name: "UserError",
    message: /at least \d+ \(special tokens, bytes and the letters of these texts\), found 262/,
  });
});
