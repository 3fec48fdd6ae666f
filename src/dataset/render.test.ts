// Ids of prompt and answer, with a tokenizer of one id a byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Example } from "./example.ts";
import { formats } from "./format.ts";
import { renderExamples, renderPrompt } from "./render.ts";
import { requestOf } from "./request.ts";

const BYTES: Tokenizer = {
  encode: async (text) => [...Buffer.from(text)],
  encodeBatch: async (texts) => texts.map((text) => [...Buffer.from(text)]),
  decode: async (ids) => Buffer.from(ids).toString(),
  vocabSize: 258,
  eosId: 256,
  bosId: 257,
  addBos: false,
  files: () => ({}),
};

const EXAMPLE: Example = {
  message: "m\n",
  path: "f",
  old: "a\n",
  diff: "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+é\n",
  commit: "c",
  parent: null,
  time: 0,
  author: "A",
};

test("prompt, answer and EOS, the prompt as in use", async () => {
  const result = (await renderExamples(BYTES, formats.region, [EXAMPLE]))[0]!;
  assert.ok(result.ok);
  const { ids, promptLength, answerBytes } = result.value;
  const prompt = await renderPrompt(BYTES, formats.region, requestOf(EXAMPLE));
  assert.deepEqual([...ids.subarray(0, promptLength)], prompt);
  assert.equal(await BYTES.decode([...ids.subarray(promptLength, -1)]), "@1,1\né\n");
  assert.equal(ids.at(-1), 256);
  assert.equal(answerBytes, 8);
});

test("BOS only where the tokenizer asks for it", async () => {
  const withBos = { ...BYTES, addBos: true };
  const request = requestOf(EXAMPLE);
  const prompt = await renderPrompt(BYTES, formats.diff, request);
  assert.deepEqual(await renderPrompt(withBos, formats.diff, request), [257, ...prompt]);
  const result = (await renderExamples(withBos, formats.diff, [EXAMPLE]))[0]!;
  assert.ok(result.ok);
  assert.equal(result.value.ids[0], 257);
  assert.equal(result.value.promptLength, prompt.length + 1);
});

test("a batch keeps its order around an example without an answer", async () => {
  const bad = { ...EXAMPLE, diff: "" };
  const other = { ...EXAMPLE, message: "longer message" };
  const results = await renderExamples(BYTES, formats.region, [EXAMPLE, bad, other]);
  assert.deepEqual(
    results.map((result) => result.ok),
    [true, false, true],
  );
  assert.deepEqual(results[2], (await renderExamples(BYTES, formats.region, [other]))[0]);
});
