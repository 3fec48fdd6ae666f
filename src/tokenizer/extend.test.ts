import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { bytePieces } from "./byte-pieces.ts";
import { countWhole, extendTokenizer } from "./extend.ts";
import { tokenizerFromGguf } from "./gguf.ts";
import { loadTokenizer } from "./load.ts";
import { extendedRows } from "./rows.ts";
import type { Tokenizer } from "./tokenizer.ts";

function golden(name: string): Buffer {
  return readFileSync(new URL(`../../test/golden/tokenizers/${name}`, import.meta.url));
}

function json<T>(name: string): T {
  return JSON.parse(golden(name).toString("utf8")) as T;
}

const strings = json<string[]>("strings.json");

function load(name: string): Tokenizer {
  const { file, config } = json<{ file: string; config: object }>(`${name}.model.json`);
  return loadTokenizer({
    [file]: new Uint8Array(golden(`${name}.model`)),
    "tokenizer_config.json": JSON.stringify(config),
  });
}

/** Texts of all planes, with what stands for something in vocabularies. */
function wild(): string[] {
  const random = createRandom(11);
  const limits = [0x20, 0x7f, 0x250, 0x3000, 0xd7ff, 0x1f600, 0x10ffff];
  const words = [
    "<0x0A>",
    "</s>",
    "<unk>",
    "▁",
    "  ",
    "\r\n",
    "e\u0301",
    "<extra_id_0>",
    "\ufeff",
    "[PAD400]",
  ];
  return Array.from({ length: 400 }, () =>
    Array.from({ length: random.below(30) }, () => {
      if (random.below(4) === 0) return words[random.below(words.length)]!;
      const point = random.below(limits[random.below(limits.length)]! + 1);
      return String.fromCodePoint(point >= 0xd800 && point <= 0xdfff ? 0x20 : point);
    }).join(""),
  );
}

for (const name of ["t5", "xlnet", "llama"]) {
  test(`${name}: after the extension every text comes back whole, and the old ids mean what they meant`, async () => {
    const base = load(name);
    const { tokenizer, rows, added, wholeBefore } = await extendTokenizer(base, [...strings, " a"], {
      words: 8,
    });
    assert.ok(wholeBefore < strings.length + 1);
    const texts = [...strings, ...wild()];
    assert.equal(await countWhole(tokenizer, texts), texts.length);
    assert.equal(tokenizer.vocabSize, base.vocabSize + rows.length);
    assert.deepEqual(
      rows.map(({ id }) => id),
      rows.map((_, i) => base.vocabSize + i),
    );
    assert.deepEqual(
      added.map(({ id }) => id),
      rows.map(({ id }) => id),
    );
    for (const { from } of rows) assert.ok(from.length > 0 && from.every((id) => id < base.vocabSize));
    assert.deepEqual([tokenizer.eosId, tokenizer.bosId], [base.eosId, base.bosId]);
    // A word within a line is cut as before.
    const [word] = await base.encode("and");
    assert.equal((await tokenizer.encode("x and"))[1 + (await tokenizer.encode("x")).length - 1], word);
  });
}

test("T5's: which tokens are added, and what their rows begin as", async () => {
  const base = load("t5");
  const twice = [...strings, ...strings];
  const { tokenizer, rows, added } = await extendTokenizer(base, twice, { words: 8 });
  const idOf = new Map(added.map(({ token, id }) => [token, id]));
  const from = (token: string) => rows.find(({ id }) => id === idOf.get(token))?.from;
  const [unknown, space] = [2, 3];
  for (const token of ["{", "}", "\\", "<", ">", "^", "~", "`"])
    assert.deepEqual(from(token), [unknown], token);
  for (const token of ["\n", "\t", "\r"]) assert.deepEqual(from(token), [space], JSON.stringify(token));
  for (const piece of bytePieces) assert.ok(idOf.has(piece));
  // The normaliser made two letters of it.
  assert.deepEqual(
    from("½"),
    (await base.encode("½")).filter((id) => id !== space),
  );
  for (const word of [" return", " }", "\n   "]) {
    assert.ok(added.findIndex(({ token }) => token === word) > added.length - 9, word);
    const pieces = (await base.encode(word)).filter((id) => id !== space);
    assert.deepEqual(from(word), pieces.length === 0 ? [space] : pieces, word);
  }
  assert.equal(added.find(({ token }) => token === "\t")!.count, twice.join("").split("\t").length - 1);
  assert.deepEqual(await tokenizer.encode("\n{"), [idOf.get("\n"), idOf.get("{")]);
});

test("ids in the reference's library are the same", async () => {
  const { tokenizer, ids } = json<{ tokenizer: unknown; ids: number[][] }>("extended.json");
  const extended = await extendTokenizer(load("t5"), strings, { words: 8 });
  assert.deepEqual(await extended.tokenizer.encodeBatch(strings), ids);
  const rounded = (value: unknown) =>
    JSON.stringify(value, (_, x) => (typeof x === "number" ? Number(x.toFixed(6)) : x));
  assert.equal(rounded(JSON.parse(extended.tokenizer.files()["tokenizer.json"]!)), rounded(tokenizer));
});

test("byte-level: a normaliser goes, a missing byte comes", async () => {
  const { metadata } = json<{ metadata: Record<string, unknown> }>("qwen2.json");
  const nfc = await extendTokenizer(tokenizerFromGguf(metadata), strings, { words: 8 });
  assert.deepEqual([nfc.rows, nfc.wholeBefore], [[], strings.length - 1]);
  assert.equal(await countWhole(nfc.tokenizer, strings), strings.length);
  // Without the byte 0xC3: the letters ü, ö and ß need it.
  const tokens = metadata["tokenizer.ggml.tokens"] as string[];
  const kept = tokens.map((token) => (token.includes("Ã") ? `${token}unused` : token));
  const merges = (metadata["tokenizer.ggml.merges"] as string[]).filter((merge) => !merge.includes("Ã"));
  const lame = tokenizerFromGguf({
    ...metadata,
    "tokenizer.ggml.tokens": kept,
    "tokenizer.ggml.merges": merges,
  });
  const { tokenizer, rows } = await extendTokenizer(lame, strings, { words: 8 });
  assert.equal(await countWhole(tokenizer, strings), strings.length);
  assert.deepEqual([rows.length, rows[0]?.id, rows[0]?.from.length], [1, lame.vocabSize, 255]);
});

test("a tokenizer that gives everything back stays as it is", async () => {
  const { metadata } = json<{ metadata: Record<string, unknown> }>("smollm.json");
  const base = tokenizerFromGguf(metadata);
  const { tokenizer, rows } = await extendTokenizer(base, strings, { words: 8 });
  assert.equal(tokenizer, base);
  assert.deepEqual(rows, []);
});

test("a kind that cannot write every text is refused", async () => {
  const files = {
    "tokenizer.json": JSON.stringify({
      pre_tokenizer: { type: "Whitespace" },
      model: { type: "WordLevel", vocab: { "[UNK]": 0, a: 1 }, unk_token: "[UNK]" },
    }),
    "tokenizer_config.json": '{"eos_token":"[UNK]"}',
  };
  await assert.rejects(extendTokenizer(loadTokenizer(files), ["b"], { words: 1 }), {
    name: "UserError",
    message: /of the kinds Unigram, .* found "WordLevel"/,
  });
});

test("rows are copied, and new ones are means", () => {
  const matrix = Float32Array.from([1, 2, 3, 4, 5, 7]);
  const recipes = [
    { id: 3, from: [0, 2] },
    { id: 5, from: [1] },
  ];
  const extended = extendedRows(matrix, { width: 2, rows: 6, recipes });
  assert.deepEqual([...extended], [1, 2, 3, 4, 5, 7, 3, 4.5, 0, 0, 3, 4]);
  // The second that begins as row 1 lies beside it, everywhere the same.
  const twice = { width: 2, rows: 5, recipes: [3, 4].map((id) => ({ id, from: [1] })) };
  const [, , , first, second] = rowsOf(extendedRows(matrix, twice));
  assert.deepEqual(first, [3, 4]);
  assert.ok(Math.abs(second![0]! - 3) > 1e-3 && Math.abs(second![0]! - 3) < 5, `${second}`);
  assert.deepEqual(extendedRows(matrix, twice), extendedRows(matrix, twice));
  // A row that was padding takes its recipe too.
  assert.deepEqual(
    [...extendedRows(matrix, { width: 2, rows: 2, recipes: [{ id: 2, from: [0] }] })].slice(4),
    [1, 2],
  );
});

function rowsOf(matrix: Float32Array): number[][] {
  return Array.from({ length: matrix.length / 2 }, (_, row) => [...matrix.subarray(2 * row, 2 * row + 2)]);
}
