// LongT5 against transformers and PEFT on tiny random weights, local and transient-global: loss and every gradient, logits
// and greedy continuations, for sources at, under and over the edges of blocks, alone and padded to the longest of a
// batch. The golden numbers (test/golden/longt5) are of one source at a time.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readPeft } from "../adapters/peft.ts";
import { openDecoder } from "../generation/answer-decoder.ts";
import { argmax } from "../generation/suggest.ts";
import { openNetwork } from "../training/network.ts";
import { openFolder } from "../weights/folder.ts";
import { requireParameters } from "../weights/match.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { everyParameter } from "./encoder-decoder.ts";
import { longt5, parseLongT5Config } from "./longt5.ts";

const GOLDEN = new URL("../../test/golden/longt5/", import.meta.url).pathname;
const device = { threads: 1, arena: true };

type Expected = {
  readonly batch: {
    readonly pairs: readonly { source: number[]; answer: number[] }[];
    readonly greedy: { readonly source: number[] };
  };
  readonly loss: Readonly<Record<string, number>>;
  readonly greedy: Readonly<Record<string, number[]>>;
};

function open(variant: string, kind: "base" | "lora") {
  const source = openFolder(`${GOLDEN}${variant}`);
  const model = longt5(source.config);
  requireParameters(everyParameter(model), source);
  const adapter = kind === "lora" ? readPeft(`${GOLDEN}${variant}/adapter`) : null;
  const expected = JSON.parse(readFileSync(`${GOLDEN}${variant}/expected.json`, "utf8")) as Expected;
  return { model, read: source.read, adapter, expected };
}

/** Largest difference over the largest magnitude of an array. */
function relative(found: ArrayLike<number>, wanted: Float32Array): number {
  assert.equal(found.length, wanted.length);
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0) / (size || 1);
}

for (const variant of ["local", "tglobal", "narrow"]) {
  for (const kind of ["base", "lora"] as const) {
    for (const padded of [false, true]) {
      const what = kind === "base" ? "every weight" : "LoRA";
      test(`${variant}: loss and gradients, ${what}, ${padded ? "all in one batch" : "one by one"}`, async () => {
        const { model, read, adapter, expected } = open(variant, kind);
        const trainable = adapter ? "adapter" : "all";
        const network = openNetwork({ model, read, adapter, trainable, device });
        const { pairs } = expected.batch;
        const sequences = pairs.map(({ source, answer }) => ({
          ids: Int32Array.from([...source, ...answer]),
          promptLength: source.length,
        }));
        const tokens = pairs.reduce((sum, { answer }) => sum + answer.length, 0);
        let nll = 0;
        for (const batch of network.pack(sequences, padded ? pairs.length : 1))
          nll += await network.accumulate(batch);
        const wanted = expected.loss[kind]!;
        assert.ok(
          Math.abs(nll / tokens - wanted) / wanted < 1e-5,
          `loss ${nll / tokens}, expected ${wanted}`,
        );
        const file = kind === "base" ? "full_gradients" : "lora_gradients";
        const golden = openSafetensors(`${GOLDEN}${variant}/${file}.safetensors`);
        const prefix = kind === "base" ? "" : "base_model.model.";
        const names = [...network.trained.keys()];
        assert.deepEqual(names.map((name) => prefix + name).sort(), [...golden.arrays.keys()].sort());
        for (const [name, { gradient }] of network.trained) {
          const mean = gradient.map((value) => value / tokens);
          const difference = relative(mean, golden.read(prefix + name));
          assert.ok(difference < 1e-4, `${name}: relative difference ${difference}`);
        }
        await network.dispose();
      });
    }

    test(`${variant}: logits of answers and 64 greedy ids, ${kind}`, async () => {
      const { model, read, adapter, expected } = open(variant, kind);
      const decoder = openDecoder({ model, read, adapter, capacity: 600, device });
      const golden = openSafetensors(`${GOLDEN}${variant}/logits.safetensors`);
      for (const [i, { source, answer }] of expected.batch.pairs.entries()) {
        const rows = [...(await decoder.begin(source))];
        for (const id of answer.slice(0, -1)) rows.push(...(await decoder.next(id)));
        const difference = relative(rows, golden.read(`${kind}.${i}`));
        assert.ok(difference < 1e-4, `source of ${source.length}: relative difference ${difference}`);
      }
      const wanted = expected.greedy[kind]!;
      const found = [argmax(await decoder.begin(expected.batch.greedy.source))];
      while (found.length < wanted.length) found.push(argmax(await decoder.next(found.at(-1)!)));
      assert.deepEqual(found, wanted);
      await decoder.dispose();
    });
  }
}

test("settings: what published folders say, and what is refused", () => {
  const least = { vocab_size: 10, d_model: 32, d_ff: 8, num_heads: 2 };
  const { encoder_attention_type, local_radius, global_block_size } = parseLongT5Config(least);
  assert.deepEqual([encoder_attention_type, local_radius, global_block_size], ["local", 127, 16]);
  assert.throws(() => longt5({ ...least, encoder_attention_type: "full" }), {
    name: "UserError",
    message: /"local" or "transient-global"/,
  });
});
