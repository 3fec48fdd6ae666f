// Decoding with two streams over a kept prompt against transformers, PEFT and adapters on tiny XLNets: logits at every
// place of answers to prompts of several lengths, and 64 greedy ids, beyond where the cache grows.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { openAdapter } from "../adapters/open.ts";
import { createAnyModel } from "../models/table.ts";
import { openFolder } from "../weights/folder.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { type AnswerDecoder, openDecoder } from "./answer-decoder.ts";
import { argmax } from "./suggest.ts";

const GOLDEN = new URL("../../test/golden/xlnet/", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${GOLDEN}${path}`, "utf8"));
const { sequences, greedy } = json("sequences.json") as {
  sequences: { ids: number[]; promptLength: number }[];
  greedy: { prompt: number[] };
};
const folders = ["tied", "untied", ...readdirSync(`${GOLDEN}kinds`).map((name) => `kinds/${name}`)];

function open(folder: string): AnswerDecoder {
  const { config, read } = openFolder(`${GOLDEN}${json(`${folder}/expected.json`).base ?? folder}`);
  const model = createAnyModel(config);
  const adapter = folder.startsWith("kinds/")
    ? openAdapter(`${GOLDEN}${folder}/adapter`, { model, read })
    : null;
  return openDecoder({ model, read, adapter, capacity: 256, device: { threads: 1, arena: true } });
}

for (const folder of folders) {
  test(`${folder}: logits of answers to prompts of several lengths`, async () => {
    const decoder = open(folder);
    const golden = openSafetensors(`${GOLDEN}${folder}/logits.safetensors`);
    for (const [i, { ids, promptLength }] of sequences.entries()) {
      const rows = [await decoder.begin(ids.slice(0, promptLength))];
      for (const id of ids.slice(promptLength, -1)) rows.push(await decoder.next(id));
      const found = rows.flatMap((row) => [...row]);
      const wanted = golden.read(`sequence.${i}`);
      assert.equal(found.length, wanted.length);
      const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const difference = found.reduce((most, value, k) => Math.max(most, Math.abs(value - wanted[k]!)), 0);
      assert.ok(difference / size < 1e-4, `sequence ${i}: relative difference ${difference / size}`);
    }
    await decoder.dispose();
  });

  test(`${folder}: 64 greedy ids`, async () => {
    const decoder = open(folder);
    const wanted: number[] = json(`${folder}/expected.json`).greedy;
    const found = [argmax(await decoder.begin(greedy.prompt))];
    while (found.length < wanted.length) found.push(argmax(await decoder.next(found.at(-1)!)));
    assert.deepEqual(found, wanted);
    await decoder.dispose();
  });
}
