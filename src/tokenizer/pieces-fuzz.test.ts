// SentencePiece models, normaliser tables and GGUF metadata damaged at random: each is refused in a sentence, or read
// and used. CODEFUDGE_FUZZ says how many of each kind.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { mutateBytes, mutateJson } from "../../test/mutate.ts";
import { UserError } from "../base/errors.ts";
import { createRandom, type Random } from "../base/random.ts";
import { tokenizerFromGguf } from "./gguf.ts";
import { loadTokenizer } from "./load.ts";
import { readSentencePiece } from "./sentencepiece.ts";
import type { Tokenizer } from "./tokenizer.ts";

const ROUNDS = Number(process.env.CODEFUDGE_FUZZ ?? 400);
const TEXTS = [
  "function a() {\n\treturn 'e\u0301 ﬁn ½' + \u00a0`x`;\n}\n",
  "",
  "</s><unk>▁ 👩‍👧 \u{10ffff}\u0000",
];

function golden(name: string): Buffer {
  return readFileSync(new URL(`../../test/golden/tokenizers/${name}`, import.meta.url));
}

/** Runs `attempt` on damages; what it throws must be for a person. Returns how many were refused. */
async function fuzz(seed: number, attempt: (random: Random) => Tokenizer): Promise<number> {
  const random = createRandom(seed);
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const state = JSON.stringify(random.state());
    try {
      const tokenizer = attempt(random);
      for (const ids of await tokenizer.encodeBatch(TEXTS)) await tokenizer.decode(ids);
    } catch (error) {
      if (!(error instanceof UserError))
        throw new Error(`Not for a person: generator ${state}`, { cause: error });
      assert.ok(error.message.length < 4000, error.message.slice(0, 300));
      assert.match(error.message, /^Expected [\s\S]*found /);
      refused++;
    }
  }
  return refused;
}

for (const [name, file] of [
  ["xlnet", "spiece.model"],
  ["llama", "tokenizer.model"],
] as const) {
  test(`${file} of ${name}`, async () => {
    const good = golden(`${name}.model`);
    const refused = await fuzz(1, (random) => {
      const front = random.below(2) === 0 ? good.length : 200;
      return loadTokenizer({ [file]: new Uint8Array(mutateBytes(good, random, front)) });
    });
    assert.ok(refused > ROUNDS * 0.3 && refused < ROUNDS, `${refused} of ${ROUNDS}`);
  });
}

test("the normaliser's table", async () => {
  const model = { "spiece.model": new Uint8Array(golden("xlnet.model")) };
  const files = loadTokenizer(model).files();
  const table = Buffer.from(readSentencePiece("spiece.model", model["spiece.model"]).charsmap!);
  const refused = await fuzz(2, (random) => {
    const damaged = mutateBytes(table, random, table.length).toString("base64");
    return loadTokenizer({
      ...files,
      "tokenizer.json": files["tokenizer.json"]!.replace(table.toString("base64"), damaged),
    });
  });
  assert.ok(refused > ROUNDS * 0.3 && refused < ROUNDS, `${refused} of ${ROUNDS}`);
});

test("metadata of a GGUF file", async () => {
  const kinds = ["t5", "llama"].map((name) => {
    const { metadata } = JSON.parse(golden(`${name}.model.json`).toString()) as { metadata: object };
    const short = Object.entries(metadata).map(([key, value]) => [
      key,
      // The first pieces, and a few of the last, which are padding or letters.
      Array.isArray(value) ? [...value.slice(0, 60), ...value.slice(-4)] : value,
    ]);
    return { ...Object.fromEntries(short), "tokenizer.ggml.precompiled_charsmap": [...smallTable()] };
  });
  const refused = await fuzz(3, (random) => {
    const text = mutateJson(kinds[random.below(2)]!, random);
    return tokenizerFromGguf(parsed(text) ?? {});
  });
  assert.ok(refused > ROUNDS * 0.2 && refused < ROUNDS, `${refused} of ${ROUNDS}`);
});

/** A table whose trie knows one letter: a becomes b. */
function smallTable(): Uint8Array {
  const units = new Uint32Array(256);
  units[0] = 1 << 10;
  units["a".charCodeAt(0) ^ 1] = ("a".charCodeAt(0) | (1 << 8) | ((0x61 ^ 1 ^ 2) << 10)) >>> 0;
  units[2] = 0x8000_0000;
  const table = Buffer.alloc(4 + units.byteLength + 2);
  table.writeUInt32LE(units.byteLength, 0);
  Buffer.from(units.buffer).copy(table, 4);
  table.write("b\0", 4 + units.byteLength);
  return table;
}

/** Metadata are always JSON. */
function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
