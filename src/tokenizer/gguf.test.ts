import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { tokenizerFromGguf } from "./gguf.ts";
import { loadTokenizer } from "./load.ts";
import { preTokenizations } from "./pretokenizers.ts";

type Golden = { readonly metadata: Record<string, unknown>; readonly ids: readonly number[][] };

function golden(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../test/golden/${name}`, import.meta.url), "utf8"));
}

const strings = golden("tokenizers/strings.json") as string[];
const { metadata } = golden("tokenizers/smollm.json") as Golden;

for (const family of Object.keys(preTokenizations)) {
  test(`${family}: ids are the reference's, and decode to the text`, async () => {
    const { metadata, ids } = golden(`tokenizers/${family}.json`) as Golden;
    const tokenizer = tokenizerFromGguf(metadata);
    assert.deepEqual(await tokenizer.encodeBatch(strings), ids);
    for (const [i, text] of strings.entries()) {
      const expected = preTokenizations[family]!.normalizer === null ? text : text.normalize("NFC");
      assert.equal(await tokenizer.decode(ids[i]!), expected);
    }
    assert.equal(tokenizer.addBos, family === "llama-bpe");
  });
}

test("files() gives the same tokenizer again", async () => {
  const tokenizer = tokenizerFromGguf({ ...metadata, "tokenizer.chat_template": "{{ x }}" });
  const files = tokenizer.files();
  assert.deepEqual(Object.keys(files), ["tokenizer.json", "tokenizer_config.json"]);
  assert.equal(JSON.parse(files["tokenizer_config.json"]!).chat_template, "{{ x }}");
  const again = loadTokenizer(files);
  assert.deepEqual(again.files(), files);
  const { vocabSize, eosId, bosId, addBos } = again;
  assert.deepEqual(
    { vocabSize, eosId, bosId, addBos },
    { vocabSize: 356, eosId: 0, bosId: 1, addBos: false },
  );
  assert.deepEqual(await again.encodeBatch(strings), await tokenizer.encodeBatch(strings));
});

test("what cannot be read is named, with what can", () => {
  const refuses = (change: Record<string, unknown>, message: RegExp) =>
    assert.throws(() => tokenizerFromGguf({ ...metadata, ...change }), { name: "UserError", message });
  refuses({ "tokenizer.ggml.model": "rwkv" }, /kind gpt2 .*found "rwkv"/);
  refuses({ "tokenizer.ggml.model": "llama" }, /one of tokenizer\.ggml\.scores for each token/);
  refuses(
    { "tokenizer.ggml.pre": "qwen3" },
    /one of gpt-2, smollm, qwen2, llama-bpe, found "qwen3": qwen2 is/,
  );
  refuses({ "tokenizer.ggml.pre": undefined }, /found none: give the model's folder/);
  refuses({ "tokenizer.ggml.tokens": undefined }, /texts under tokenizer\.ggml\.tokens .*found none/);
  refuses({ "tokenizer.ggml.token_type": [1] }, /one tokenizer\.ggml\.token_type for each token/);
  refuses({ "tokenizer.ggml.merges": ["a b c"] }, /pairs in tokenizer\.ggml\.merges, found "a b c"/);
  refuses({ "tokenizer.ggml.merges": ["§§ a"] }, /that the tokenizers library reads, found one it refuses/);
  refuses({ "tokenizer.ggml.eos_token_id": 99_999 }, /eos_token in tokenizer_config\.json/);
});
