// The decoder against transformers and PEFT on a tiny Llama: logits at every position, however the ids are fed, and
// greedy continuations.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readPeft } from "../adapters/peft.ts";
import { createModel } from "../models/table.ts";
import { openFolder } from "../weights/folder.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { Decoder } from "./decoder.ts";

const GOLDEN = new URL("../../test/golden/llama/", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${GOLDEN}${path}`, "utf8"));
const { sequences, batch, greedy } = json("batch.json");

function open(variant: string, kind: "base" | "lora") {
  const source = openFolder(`${GOLDEN}${variant}`);
  const adapter = kind === "lora" ? readPeft(`${GOLDEN}${variant}/adapter`) : null;
  const device = { threads: 1, arena: true };
  return new Decoder({ model: createModel(source.config), read: source.read, adapter, capacity: 32, device });
}

function argmax(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

for (const variant of ["tied", "untied"]) {
  for (const kind of ["base", "lora"] as const) {
    test(`logits, ${variant} head, ${kind}, one by one and in parts`, async () => {
      const decoder = open(variant, kind);
      const golden = openSafetensors(`${GOLDEN}${variant}/logits.safetensors`);
      for (const [i, member] of batch.entries()) {
        const ids: number[] = sequences[member].ids;
        const wanted = golden.read(`${kind}.${i}`);
        for (const step of [1, 3, ids.length]) {
          decoder.truncate(0);
          for (let at = 0; at < ids.length; at += step) {
            const part = ids.slice(at, at + step);
            const logits = await decoder.append(part);
            const row = wanted.subarray((at + part.length - 1) * 67, (at + part.length) * 67);
            const size = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
            logits.forEach((value, v) => {
              const difference = Math.abs(value - row[v]!) / size;
              assert.ok(difference < 1e-4, `position ${at}: ${value}, expected ${row[v]}`);
            });
          }
        }
      }
      await decoder.dispose();
    });

    test(`greedy continuation, ${variant} head, ${kind}`, async () => {
      const decoder = open(variant, kind);
      const found: number[] = [];
      let logits = await decoder.append(greedy.prompt);
      for (let i = 0; i < greedy.newTokens; i++) {
        found.push(argmax(logits));
        logits = await decoder.append([found.at(-1)!]);
      }
      assert.deepEqual(found, json(`${variant}/expected.json`).greedy[kind]);
      await decoder.dispose();
    });
  }
}
