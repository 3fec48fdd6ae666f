// Ids of prompt and answer, with a tokenizer of one id a byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BYTES } from "../../test/bytes.ts";
import { formats } from "./format.ts";
import { renderExamples, renderPrompt, renderTexts } from "./render.ts";
import type { Request } from "./request.ts";

const REQUEST: Request = {
  message: "m\n",
  files: [{ path: "f", old: "a\n", role: "change", shown: "all" }],
};
const PROMPT = formats.region.prompt(REQUEST);
const TEXTS = { prompt: PROMPT, answer: "@1,1\né\n", weight: 0.5 };

test("prompt, answer and EOS, the prompt as in use", async () => {
  const [rendered, ...rest] = await renderTexts(BYTES, [TEXTS]);
  assert.equal(rest.length, 0);
  const { ids, promptLength, answerBytes, weight } = rendered!;
  assert.deepEqual([...ids.subarray(0, promptLength)], await renderPrompt(BYTES, formats.region, REQUEST));
  assert.equal(await BYTES.decode([...ids.subarray(promptLength, -1)]), "@1,1\né\n");
  assert.equal(ids.at(-1), 256);
  assert.deepEqual([answerBytes, weight], [8, 0.5]);
});

test("BOS only where the tokenizer asks for it", async () => {
  const withBos = { ...BYTES, addBos: true };
  const prompt = await renderPrompt(BYTES, formats.diff, REQUEST);
  assert.deepEqual(await renderPrompt(withBos, formats.diff, REQUEST), [257, ...prompt]);
  const [rendered] = await renderTexts(withBos, [{ ...TEXTS, prompt: formats.diff.prompt(REQUEST) }]);
  assert.equal(rendered!.ids[0], 257);
  assert.equal(rendered!.promptLength, prompt.length + 1);
});

test("what an encoder reads ends with EOS, in training as in use", async () => {
  const closing = { ...BYTES, closesPrompt: true };
  const prompt = await renderPrompt(BYTES, formats.region, REQUEST);
  assert.deepEqual(await renderPrompt(closing, formats.region, REQUEST), [...prompt, 256]);
  const [rendered] = await renderTexts(closing, [TEXTS]);
  assert.equal(rendered!.promptLength, prompt.length + 1);
  assert.equal(rendered!.ids[prompt.length], 256);
});

test("a batch keeps its order, each as it is alone", async () => {
  const texts = [TEXTS, { ...TEXTS, prompt: "longer prompt" }, { ...TEXTS, answer: "" }];
  const alone = await Promise.all(texts.map((one) => renderTexts(BYTES, [one])));
  assert.deepEqual(await renderTexts(BYTES, texts), alone.flat());
});

test("examples by themselves keep their order around one without an answer", async () => {
  const diff = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+é\n";
  const example = {
    message: "m",
    path: "f",
    old: "a\n",
    diff,
    commit: "c",
    parent: null,
    time: 0,
    author: "A",
  };
  const examples = [diff, "", diff].map((text) => ({ ...example, diff: text, weight: 0.5 }));
  const [first, bad, last] = await renderExamples(BYTES, formats.region, examples);
  assert.deepEqual(first, { ok: true, value: (await renderTexts(BYTES, [TEXTS]))[0] });
  assert.deepEqual([bad!.ok, last], [false, first]);
});
