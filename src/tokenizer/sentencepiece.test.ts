import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { tokenizerFromGguf } from "./gguf.ts";
import { loadTokenizer } from "./load.ts";
import { readSentencePiece } from "./sentencepiece.ts";
import type { Tokenizer } from "./tokenizer.ts";

type Golden = {
  readonly file: string;
  readonly config: Record<string, unknown>;
  readonly tokenizer: Record<string, unknown>;
  readonly special: { readonly bos: number | null; readonly eos: number };
  readonly ids: readonly number[][];
  readonly decoded: readonly string[];
  readonly metadata?: Record<string, unknown>;
  readonly variants?: readonly { config: Record<string, unknown>; tokenizer: Record<string, unknown> }[];
};

function bytesOf(name: string): Buffer {
  return readFileSync(new URL(`../../test/golden/tokenizers/${name}`, import.meta.url));
}

function json<T>(name: string): T {
  return JSON.parse(bytesOf(name).toString("utf8")) as T;
}

const strings = json<string[]>("strings.json");

function load(name: string, config: Record<string, unknown>): Tokenizer {
  const { file } = json<Golden>(`${name}.model.json`);
  return loadTokenizer({ [file]: bytesOf(`${name}.model`), "tokenizer_config.json": JSON.stringify(config) });
}

function converted(tokenizer: Tokenizer): Record<string, unknown> {
  return fingerprints(JSON.parse(tokenizer.files()["tokenizer.json"]!)) as Record<string, unknown>;
}

/** The same, with each character map as its hash, as the reference writes it. */
function fingerprints(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fingerprints);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === "precompiled_charsmap" ? sha256(Buffer.from(item as string, "base64")) : fingerprints(item),
    ]),
  );
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

for (const name of ["t5", "xlnet", "llama"]) {
  test(`${name}: tokenizer.json, ids and decoded texts are the reference's`, async () => {
    const golden = json<Golden>(`${name}.model.json`);
    const tokenizer = load(name, golden.config);
    assert.deepEqual(converted(tokenizer), golden.tokenizer);
    assert.deepEqual(await tokenizer.encodeBatch(strings), golden.ids);
    for (const [i, ids] of golden.ids.entries()) assert.equal(await tokenizer.decode(ids), golden.decoded[i]);
    assert.equal(tokenizer.eosId, golden.special.eos);
    assert.equal(tokenizer.bosId ?? null, golden.special.bos);
    assert.equal(tokenizer.addBos, false);
  });

  test(`${name}: what tokenizer_config.json changes, it changes as in the reference`, () => {
    const { variants, tokenizer } = json<Golden>(`${name}.model.json`);
    assert.ok(variants !== undefined && variants.length > 0);
    for (const variant of variants) {
      const { model, ...rest } = converted(load(name, variant.config));
      assert.deepEqual(rest, variant.tokenizer);
      assert.notDeepEqual({ ...rest, model }, tokenizer);
    }
  });

  test(`${name}: the family is found without tokenizer_config.json`, () => {
    const { file, tokenizer } = json<Golden>(`${name}.model.json`);
    assert.deepEqual(converted(loadTokenizer({ [file]: bytesOf(`${name}.model`) })), tokenizer);
  });
}

for (const name of ["t5", "llama"]) {
  test(`${name}: from GGUF metadata the ids are those of the model`, async () => {
    const { metadata, ids, special } = json<Golden>(`${name}.model.json`);
    const charsmap = readSentencePiece(name, bytesOf(`${name}.model`)).charsmap;
    const tokenizer = tokenizerFromGguf({
      ...metadata,
      ...(charsmap === undefined ? {} : { "tokenizer.ggml.precompiled_charsmap": [...charsmap] }),
    });
    assert.deepEqual(await tokenizer.encodeBatch(strings), ids);
    assert.equal(tokenizer.eosId, special.eos);
    assert.equal(tokenizer.vocabSize, name === "t5" ? 400 : 520);
    assert.equal(tokenizer.addBos, name === "llama");
  });
}

/** A field of a message: a number, or bytes. */
function field(number: number, value: number | Buffer | string): Buffer {
  if (typeof value === "number")
    return Buffer.of(
      ((number << 3) % 128) | (number > 15 ? 128 : 0),
      ...(number > 15 ? [number >> 4] : []),
      value,
    );
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes]);
}

function piece(text: string | Buffer, score: number): Buffer {
  const float = Buffer.alloc(5);
  float[0] = (2 << 3) | 5;
  float.writeFloatLE(score, 1);
  return field(1, Buffer.concat([field(1, text as string), float]));
}

test("a model that sentencepiece would not take is refused, with what is wrong", () => {
  const unknown = piece("<unk>", 0);
  const refuses = (message: RegExp, ...parts: Buffer[]) =>
    assert.throws(() => readSentencePiece("a.model", Buffer.concat(parts)), { name: "UserError", message });
  assert.equal(readSentencePiece("a.model", Buffer.concat([unknown, piece("a", -1)])).pieces.length, 2);
  refuses(/SentencePiece model in a\.model, found 0 as the unknown one of 0 pieces: the file is damaged/);
  refuses(/found the piece a twice/, unknown, piece("a", 0), piece("a", 1));
  refuses(/found an empty piece/, unknown, piece("", 0));
  refuses(/found the score NaN for the piece a/, unknown, piece("a", Number.NaN));
  refuses(/found a piece that is not UTF-8/, unknown, piece(Buffer.of(0xff), 0));
  refuses(/found a model that is neither Unigram nor BPE/, unknown, field(2, field(3, 3)));
  refuses(/found 7 as the unknown one of 1 pieces/, unknown, field(2, field(40, 7)));
  refuses(/found a normaliser table that is cut off/, unknown, field(3, field(2, "ab")));
  refuses(
    /found \d+ bytes announced at byte 2, past the end/,
    Buffer.from("\n\u0050version https://git-lfs"),
  );
});

test("a class that is not known, or does not fit the model, is refused", () => {
  const refuses = (name: string, tokenizer_class: string, message: RegExp) =>
    assert.throws(() => load(name, { tokenizer_class }), { name: "UserError", message });
  refuses(
    "t5",
    "PegasusTokenizer",
    /T5Tokenizer \(unigram\), .* found unigram for "PegasusTokenizer": give a folder/,
  );
  refuses("llama", "T5TokenizerFast", /found bpe for "T5TokenizerFast"/);
  assert.throws(
    () => load("t5", { tokenizer_class: "T5Tokenizer", eos_token: "<end>" }),
    /the eos_token <end> among the pieces/,
  );
  const later = { "401": { content: "<x>" } };
  assert.throws(
    () => load("t5", { added_tokens_decoder: later }),
    /tokens from 400 on .* found "<x>" as 401/,
  );
});
