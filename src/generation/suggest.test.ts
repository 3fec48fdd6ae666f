// From an answer to a proven change, and the bounds of a request; the network is a tiny Llama of random weights whose
// answers mean nothing, the tokenizer one id for each byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../base/errors.ts";
import type { Result } from "../base/result.ts";
import { formats } from "../dataset/format.ts";
import type { Request } from "../dataset/request.ts";
import { createModel } from "../models/table.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { initialWeights } from "../training/initial.ts";
import { Decoder } from "./decoder.ts";
import { argmax, type Change, proveAnswer, suggest, type Writer } from "./suggest.ts";

const OLD = "one\ntwo\nthree\n";

function asking(old: string, message = "Raise the version"): Request {
  return { message, files: [{ path: "a.txt", old, role: "change", shown: "all" }] };
}

const request = asking(OLD);

/** The content of a changed file after a proven change. */
function afterOf(change: Result<Change>, path = "a.txt"): string | null | undefined {
  assert.ok(change.ok, change.ok ? "" : change.reason);
  return change.value.files.find(({ before }) => before === path)?.after;
}

test("of equal logits the first counts", () => {
  assert.equal(argmax(Float32Array.of(0, 3, 3, 1)), 1);
  assert.equal(argmax(Float32Array.of(-1, -1)), 0);
  assert.equal(argmax(Float32Array.of(-3, -2, -5)), 1);
  assert.equal(argmax(Float32Array.of(Number.NEGATIVE_INFINITY, -1e30)), 1);
});

test("a good region answer becomes a diff that gives the new text", () => {
  const change = proveAnswer(formats.region, "@2,1\nTWO\n", request);
  assert.equal(afterOf(change), "one\nTWO\nthree\n");
  assert.equal(
    change.ok && change.value.diff,
    "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n",
  );
});

test("a good diff answer, a deletion, a rename", () => {
  const diff = "@@ -1,3 +1,2 @@\n one\n-two\n three\n";
  const full = `diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n${diff}`;
  const change = proveAnswer(formats.diff, full, request);
  assert.equal(afterOf(change), "one\nthree\n");
  const gone = proveAnswer(formats.region, "@delete\n", request);
  assert.equal(afterOf(gone), null);
  assert.match(gone.ok ? gone.value.diff : "", /deleted file mode/);
  const moved = proveAnswer(formats.region, "@rename b.txt\n", request);
  assert.equal(afterOf(moved), OLD);
  assert.match(moved.ok ? moved.value.diff : "", /rename to b.txt/);
});

const bad: readonly (readonly [string, string, RegExp])[] = [
  ["region", "", /empty answer/],
  ["region", "TWO\n", /directive/],
  ["region", "@9,1\nTWO\n", /./],
  ["region", "@2,1\ntwo\n", /no change|changes nothing/],
  ["region", "@create 100644\nx\n", /already there/],
  ["region", "@rename ../b.txt\n", /unsafe path/],
  ["diff", "", /./],
  ["diff", "hello", /./],
  ["diff", "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,1 +1,1 @@\n-nine\n+ten\n", /./],
];

test("a diff that names another path changes the file that was asked for, and nothing else", () => {
  const answer = "diff --git a/../x b/../x\n--- a/../x\n+++ b/../x\n@@ -1,1 +1,1 @@\n-one\n+ten\n";
  const change = proveAnswer(formats.diff, answer, request);
  assert.equal(afterOf(change), "ten\ntwo\nthree\n");
  assert.match(change.ok ? change.value.diff : "", /^diff --git a\/a.txt b\/a.txt\n/);
});

for (const [format, answer, reason] of bad) {
  test(`a bad ${format} answer is a reason: ${JSON.stringify(answer.slice(0, 40))}`, () => {
    const change = proveAnswer(formats[format as keyof typeof formats], answer, request);
    assert.ok(!change.ok);
    assert.match(change.reason, reason);
  });
}

const VOCABULARY = 260;
const EOS = 256;
const bytes: Tokenizer = {
  encode: async (text) => [...Buffer.from(text)],
  encodeBatch: async (texts) => texts.map((text) => [...Buffer.from(text)]),
  decode: async (ids) => Buffer.from(ids.filter((id) => id < 256)).toString("latin1"),
  vocabSize: VOCABULARY,
  eosId: EOS,
  bosId: undefined,
  addBos: false,
  files: () => ({}),
};

const model = createModel({
  model_type: "llama",
  vocab_size: VOCABULARY,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 128,
});

/** A writer over random weights; a head of zeros makes all logits equal, so that id 0 is taken each time. */
function open(given: Partial<Writer> = {}, head: "random" | "zeros" = "random"): Writer {
  const weights = initialWeights(model, 3);
  const read = (name: string) => {
    const values = weights.get(name)!.data.slice();
    if (head === "zeros" && name === "lm_head.weight") values.fill(0);
    return values;
  };
  const decoder = new Decoder({
    model,
    read,
    adapter: null,
    capacity: 128,
    device: { threads: 1, arena: true },
  });
  const signal = new AbortController().signal;
  return { decoder, tokenizer: bytes, format: formats.region, max_new_tokens: 5, signal, ...given };
}

test("an answer that does not end is a reason, with the limit", async () => {
  const writer = open({}, "zeros");
  const { answer, change } = await suggest(writer, request);
  assert.deepEqual([answer.ended, answer.tokens, answer.text], [false, 5, "\0".repeat(5)]);
  assert.equal(answer.promptTokens, Buffer.byteLength(formats.region.prompt(request)));
  assert.deepEqual(change, { ok: false, reason: "the answer did not end within 5 tokens" });
  await writer.decoder.dispose();
});

test("an answer that ends at once is an empty one, and the decoder serves the next request", async () => {
  const writer = open({ tokenizer: { ...bytes, eosId: 0 } }, "zeros");
  for (let i = 0; i < 2; i++) {
    const { answer, change } = await suggest(writer, request);
    assert.deepEqual([answer.ended, answer.tokens], [true, 0]);
    assert.deepEqual(change, { ok: false, reason: "empty answer" });
  }
  await writer.decoder.dispose();
});

test("the same request gets the same answer, whatever came before it", async () => {
  const writer = open();
  const first = (await suggest(writer, request)).answer.text;
  await suggest(writer, { ...request, message: "Something else" });
  assert.equal((await suggest(writer, request)).answer.text, first);
  await writer.decoder.dispose();
});

test("a request longer than the context is a sentence with both lengths", async () => {
  const writer = open();
  const long = asking("line\n".repeat(40));
  await assert.rejects(
    suggest(writer, long),
    (error) =>
      error instanceof UserError &&
      /^Expected a request of at most 112 tokens.*found \d+; give a shorter message, or fewer files$/.test(
        error.message,
      ),
  );
  await writer.decoder.dispose();
});

test("an abort ends the writing", async () => {
  const writer = open({ signal: AbortSignal.abort() }, "zeros");
  await assert.rejects(suggest(writer, request), /abort/i);
  await writer.decoder.dispose();
});
