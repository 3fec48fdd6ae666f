// Decoding with a kept source and a cache against transformers, PEFT and adapters on tiny T5s: logits at every position of
// an answer, and 64 greedy ids, beyond where the cache grows.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { Adapter } from "../adapters/adapter.ts";
import { openAdapter } from "../adapters/open.ts";
import { createAnyModel } from "../models/table.ts";
import { openFolder } from "../weights/folder.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { type AnswerDecoder, openDecoder } from "./answer-decoder.ts";
import { argmax } from "./suggest.ts";

const GOLDEN = new URL("../../test/golden/t5/", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${GOLDEN}${path}`, "utf8"));
const { pairs, greedy } = json("batch.json");
const { sequences, batch } = json("kinds/sequences.json");

function open(variant: string, adapterFolder: string | null): AnswerDecoder {
  const { config, read } = openFolder(`${GOLDEN}${variant}`);
  const model = createAnyModel(config);
  const adapter: Adapter | null = adapterFolder
    ? openAdapter(`${GOLDEN}${adapterFolder}`, { model, read })
    : null;
  return openDecoder({ model, read, adapter, capacity: 256, device: { threads: 1, arena: true } });
}

/** The logits that foretell each id of an answer. */
async function logitsOf(decoder: AnswerDecoder, source: readonly number[], answer: readonly number[]) {
  const rows = [await decoder.begin(source)];
  for (const id of answer.slice(0, -1)) rows.push(await decoder.next(id));
  return rows.flatMap((row) => [...row]);
}

function assertNear(found: readonly number[], wanted: Float32Array, what: string): void {
  assert.equal(found.length, wanted.length);
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
  assert.ok(difference / size < 1e-4, `${what}: relative difference ${difference / size}`);
}

for (const variant of ["v1.0", "v1.1"]) {
  for (const kind of ["base", "lora"]) {
    test(`${variant}, ${kind}: logits of answers to sources of several lengths`, async () => {
      const decoder = open(variant, kind === "lora" ? `${variant}/adapter` : null);
      const golden = openSafetensors(`${GOLDEN}${variant}/logits.safetensors`);
      for (const [i, { source, answer }] of pairs.entries()) {
        assertNear(await logitsOf(decoder, source, answer), golden.read(`${kind}.${i}`), `pair ${i}`);
      }
      await decoder.dispose();
    });

    test(`${variant}, ${kind}: ${greedy.newTokens} greedy ids`, async () => {
      const decoder = open(variant, kind === "lora" ? `${variant}/adapter` : null);
      const wanted: number[] = json(`${variant}/expected.json`).greedy[kind];
      const found = [argmax(await decoder.begin(greedy.source))];
      while (found.length < wanted.length) found.push(argmax(await decoder.next(found.at(-1)!)));
      assert.deepEqual(found, wanted);
      await decoder.dispose();
    });
  }
}

for (const name of readdirSync(`${GOLDEN}kinds`)) {
  if (name.endsWith(".json")) continue;
  test(`${name}: logits of an answer`, async () => {
    const decoder = open(json(`kinds/${name}/expected.json`).base, `kinds/${name}/adapter`);
    const { ids, promptLength } = sequences[batch[0]];
    const golden = openSafetensors(`${GOLDEN}kinds/${name}/logits.safetensors`);
    const found = await logitsOf(decoder, ids.slice(0, promptLength), ids.slice(promptLength));
    assertNear(found, golden.read("logits"), name);
    await decoder.dispose();
  });
}
