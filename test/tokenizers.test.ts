// The long form of the tokenizer tests: ids over ten thousand files and a hundred thousand random strings, equal to the
// reference's. CODEFUDGE_TOKENIZERS names a folder that test/golden/tokenizers/long.py has filled.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { tokenizerFromGguf } from "../src/tokenizer/gguf.ts";
import { loadTokenizer } from "../src/tokenizer/load.ts";
import type { Tokenizer } from "../src/tokenizer/tokenizer.ts";
import { openGguf } from "../src/weights/gguf.ts";

const OUT = process.env.CODEFUDGE_TOKENIZERS;
const skip = OUT === undefined ? "set CODEFUDGE_TOKENIZERS, see test/golden/tokenizers/long.py" : false;

type Reference = readonly [count: number, sha256: string, whole: boolean];

const lines = <T>(name: string): T[] =>
  readFileSync(join(OUT!, name), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);

test("ids are the reference's for every file and string", { skip }, async (t) => {
  const texts = ["texts", "fuzz"].flatMap((name) => lines<{ text: string }>(`${name}.jsonl`));
  const names = readdirSync(OUT!).filter((name) => existsSync(join(OUT!, `${name}.ids.jsonl`)));
  assert.ok(names.length > 0, "no references there");
  for (const name of names) await t.test(name, (t) => compare(name, texts, t));
});

/** Whole: decoding gives the text. Where the reference manages that, we do. */
async function compare(name: string, texts: readonly { text: string }[], t: TestContext): Promise<void> {
  const tokenizer = open(join(OUT!, name));
  const references = lines<Reference>(`${name}.ids.jsonl`);
  let whole = 0;
  for (const [i, { text }] of texts.entries()) {
    const ids = await tokenizer.encode(text);
    const [count, hash, isWhole] = references[i]!;
    const place = `text ${i}: ${JSON.stringify(text.slice(0, 60))}`;
    assert.equal(ids.length, count, place);
    assert.equal(createHash("sha256").update(Uint32Array.from(ids)).digest("hex"), hash, place);
    const isBack = (await tokenizer.decode(ids)) === text;
    if (isWhole) assert.ok(isBack, `not given back, but by the reference: ${place}`);
    if (isBack) whole++;
  }
  t.diagnostic(`${texts.length} texts, ${whole} given back whole`);
}

function open(folder: string): Tokenizer {
  const names = readdirSync(folder);
  const gguf = names.find((name) => name.endsWith(".gguf"));
  if (gguf === undefined) {
    const read = (name: string) => readFileSync(join(folder, name));
    return loadTokenizer(
      Object.fromEntries(
        names.map((name) => [
          name,
          name.endsWith(".model") ? new Uint8Array(read(name)) : read(name).toString(),
        ]),
      ),
    );
  }
  const source = openGguf(join(folder, gguf));
  source.dispose();
  if (source.tokenizer.kind !== "gguf") throw new Error("a GGUF file has its tokenizer in its metadata");
  return tokenizerFromGguf(source.tokenizer.metadata);
}
