import assert from "node:assert/strict";
import { test } from "node:test";
import { loadTokenizer } from "./load.ts";

const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
const bos = { id: 5, content: "<s>", ...special };
const eos = { id: 6, content: "</s>", ...special };

/** Letters a, b, c, <, > and two special tokens beyond the vocabulary, one of them put in front. */
const json = {
  version: "1.0",
  truncation: { max_length: 2, strategy: "LongestFirst", stride: 0, direction: "Right" },
  padding: null,
  added_tokens: [bos, eos, { ...bos, id: 7, content: "abba", special: false }],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: { "<s>": { id: "<s>", ids: [5], tokens: ["<s>"] } },
  },
  decoder: { type: "Fuse" },
  model: { type: "BPE", vocab: { a: 0, b: 1, s: 2, "<": 3, ">": 4 }, merges: [] },
};
const config = { bos_token: "<s>", eos_token: { content: "</s>" } };

function files(
  tokenizer: unknown = json,
  others: Record<string, unknown> = { "tokenizer_config.json": config },
) {
  const contents = Object.entries({ "tokenizer.json": tokenizer, ...others });
  return Object.fromEntries(contents.map(([name, value]) => [name, JSON.stringify(value)]));
}

test("a special token's spelling in a text is text; other added tokens are tokens", async () => {
  const tokenizer = loadTokenizer(files());
  assert.deepEqual(await tokenizer.encode("a<s>b"), [0, 3, 2, 4, 1]);
  assert.deepEqual(await tokenizer.encode("babbab"), [1, 7, 1]);
  assert.deepEqual(await tokenizer.encodeBatch(["<s>", ""]), [[3, 2, 4], []]);
});

test("nothing is added, cut or padded", async () => {
  assert.deepEqual(await loadTokenizer(files()).encode("ababab"), [0, 1, 0, 1, 0, 1]);
});

test("special ids are known, and left out of decoded text", async () => {
  const tokenizer = loadTokenizer(files());
  const { vocabSize, bosId, eosId, addBos } = tokenizer;
  assert.deepEqual({ vocabSize, bosId, eosId, addBos }, { vocabSize: 8, bosId: 5, eosId: 6, addBos: true });
  assert.equal(await tokenizer.decode([5, 0, 3, 7, 6]), "a<abba");
});

test("a special token inside the model's vocabulary is not reached either", async () => {
  const inside = {
    ...json,
    added_tokens: [{ ...eos, id: 5 }],
    post_processor: null,
    // Whole words are looked up before merges, as Llama 3 does.
    model: { ...json.model, ignore_merges: true, vocab: { ...json.model.vocab, "/": 6, "</s>": 5 } },
  };
  const tokenizer = loadTokenizer(files(inside));
  assert.deepEqual(await tokenizer.encode("</s>"), [3, 6, 2, 4]);
  assert.equal(tokenizer.eosId, 5);
});

test("a special piece of a Unigram vocabulary is not reached either", async () => {
  const pieces = [
    ["<unk>", 0],
    ["</s>", 0],
    ["<", -3],
    ["/", -3],
    ["s", -3],
    [">", -3],
  ];
  const unigram = {
    ...json,
    added_tokens: [{ ...eos, id: 1 }],
    post_processor: null,
    model: { type: "Unigram", unk_id: 0, vocab: pieces, byte_fallback: false },
  };
  const tokenizer = loadTokenizer(files(unigram));
  assert.deepEqual(await tokenizer.encode("s</s>"), [4, 2, 3, 4, 5]);
  assert.equal(tokenizer.vocabSize, 6);
});

test("the end of a sequence is found in each of its places", () => {
  const id = (others: Record<string, unknown>) => loadTokenizer(files(json, others)).eosId;
  assert.equal(id({ "special_tokens_map.json": { eos_token: "</s>" } }), 6);
  assert.equal(id({ "generation_config.json": { eos_token_id: [4, 6] } }), 4);
  assert.equal(id({ "tokenizer_config.json": config, "generation_config.json": { eos_token_id: 4 } }), 6);
});

test("tokenizer_config.json decides over the template", () => {
  assert.equal(
    loadTokenizer(files(json, { "tokenizer_config.json": { ...config, add_bos_token: false } })).addBos,
    false,
  );
});

test("half a surrogate pair is refused", async () => {
  const tokenizer = loadTokenizer(files());
  await assert.rejects(tokenizer.encode("a\ud800"), {
    name: "UserError",
    message: /half of a surrogate pair/,
  });
  await assert.rejects(tokenizer.encodeBatch(["a", "\udc00"]), { name: "UserError" });
});

test("what is missing or damaged is said, with what to do", () => {
  const refuses = (given: Record<string, string>, message: RegExp) =>
    assert.throws(() => loadTokenizer(given), { name: "UserError", message });
  refuses({}, /tokenizer\.model beside the model, found none: save the tokenizer/);
  refuses(files(json, {}), /eos_token in tokenizer_config\.json .*found none/);
  refuses({ "tokenizer.json": "{" }, /JSON in tokenizer\.json/);
  refuses({ "tokenizer.json": "[]" }, /a JSON object in tokenizer\.json/);
  refuses(files({ ...json, model: {} }), /a model with a vocab/);
  refuses(files({ ...json, added_tokens: [{ id: "x" }] }), /added_tokens with content and id/);
  refuses(files({ ...json, model: { ...json.model, vocab: [1] } }), /pairs of piece and score in the vocab/);
  // The library would end the process.
  const prefixed = { ...json.model, continuing_subword_prefix: "##", merges: [["a", "b"]] };
  refuses(files({ ...json, model: prefixed }), /right half starts with the continuing_subword_prefix "##"/);
  refuses(files({ ...json, model: { ...prefixed, merges: ["a b"] } }), /continuing_subword_prefix "##"/);
  refuses(files({ ...json, pre_tokenizer: { type: "Nonsense" } }), /found one it refuses/);
});
