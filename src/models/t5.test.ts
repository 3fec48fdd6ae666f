// T5 against transformers and PEFT on tiny random weights, v1.0 and v1.1: loss and every gradient; the pairs are padded to
// one length, the golden numbers (test/golden/t5) are not. Logits and greedy continuations: generation/memory-decoder.test.ts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createAdapter } from "../adapters/create.ts";
import { parseAdapter } from "../adapters/options.ts";
import { readPeft } from "../adapters/peft.ts";
import { createRandom } from "../base/random.ts";
import { openNetwork } from "../training/network.ts";
import { openFolder } from "../weights/folder.ts";
import { requireParameters } from "../weights/match.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { everyParameter } from "./encoder-decoder.ts";
import { bucketOf } from "./relative.ts";
import { parseT5Config, t5 } from "./t5.ts";

const GOLDEN = new URL("../../test/golden/t5/", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${GOLDEN}${path}`, "utf8"));
const { pairs } = json("batch.json") as { pairs: { source: number[]; answer: number[] }[] };

test("buckets of distances are the reference's", () => {
  const rows = json("buckets.json") as {
    buckets: number;
    distance: number;
    twoSided: boolean;
    changes: [number, number][];
  }[];
  for (const { buckets, distance, twoSided, changes } of rows) {
    const config = { relative_attention_num_buckets: buckets, relative_attention_max_distance: distance };
    const found: [number, number][] = [];
    for (let d = -5000; d <= 5000; d++) {
      const bucket = bucketOf(d, config, twoSided);
      if (found.at(-1)?.[1] !== bucket) found.push([d, bucket]);
    }
    assert.deepEqual(found, changes, `${buckets} buckets to ${distance}`);
  }
});

/** Largest difference over the largest magnitude of an array. */
function relative(found: ArrayLike<number>, wanted: Float32Array): number {
  assert.equal(found.length, wanted.length);
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0) / (size || 1);
}

for (const variant of ["v1.0", "v1.1"]) {
  for (const kind of ["base", "lora"] as const) {
    test(`${variant}: loss and gradients, ${kind === "base" ? "every weight" : "LoRA"}`, async () => {
      const source = openFolder(`${GOLDEN}${variant}`);
      const model = t5(source.config);
      requireParameters(everyParameter(model), source);
      const adapter = kind === "lora" ? readPeft(`${GOLDEN}${variant}/adapter`) : null;
      const network = openNetwork({
        ...{ model, read: source.read, adapter, trainable: adapter ? "adapter" : "all" },
        device: { threads: 1, arena: true },
      });
      const sequences = pairs.map((pair) => ({
        ids: Int32Array.from([...pair.source, ...pair.answer]),
        promptLength: pair.source.length,
      }));
      const tokens = pairs.reduce((sum, { answer }) => sum + answer.length, 0);
      const [batch] = network.pack(sequences, pairs.length);
      const loss = (await network.accumulate(batch!)) / tokens;
      const wanted = json(`${variant}/expected.json`).loss[kind];
      assert.ok(Math.abs(loss - wanted) / wanted < 1e-5, `loss ${loss}, expected ${wanted}`);
      const file = kind === "base" ? "full_gradients" : "lora_gradients";
      const slopes = openSafetensors(`${GOLDEN}${variant}/${file}.safetensors`);
      const prefix = kind === "base" ? "" : "base_model.model.";
      const names = [...network.trained.keys()];
      assert.deepEqual(names.map((name) => prefix + name).sort(), [...slopes.arrays.keys()].sort());
      for (const [name, { gradient }] of network.trained) {
        const mean = gradient.map((value) => value / tokens);
        const difference = relative(mean, slopes.read(prefix + name));
        assert.ok(difference < 1e-4, `${name}: relative difference ${difference}`);
      }
      await network.dispose();
    });
  }
}

for (const variant of ["v1.0", "v1.1"]) {
  test(`${variant}: an embedding trained beside a LoRA gets the gradient that it has in full training`, async () => {
    const { config, read } = openFolder(`${GOLDEN}${variant}`);
    const model = t5(config);
    const text = "lora[target_modules=[q], modules_to_save=[shared]]";
    const adapter = createAdapter(parseAdapter(text), { model, read }, createRandom(1));
    const device = { threads: 1, arena: true };
    const network = openNetwork({ model, read, adapter, trainable: "adapter", device });
    const sequences = pairs.map(({ source, answer }) => ({
      ids: Int32Array.from([...source, ...answer]),
      promptLength: source.length,
    }));
    const tokens = pairs.reduce((sum, { answer }) => sum + answer.length, 0);
    for (const batch of network.pack(sequences, 2)) await network.accumulate(batch);
    const found = network.trained.get("shared.weight")!.gradient.map((value) => value / tokens);
    const golden = openSafetensors(`${GOLDEN}${variant}/full_gradients.safetensors`);
    assert.ok(relative(found, golden.read("shared.weight")) < 1e-4);
    await network.dispose();
  });
}

test("settings: tied or not, scaled or not, in the spellings of transformers 4 and 5", () => {
  const least = { vocab_size: 10, d_model: 32, d_ff: 8, num_heads: 2 };
  const read = (change: Record<string, unknown>) => {
    const { tie_word_embeddings, scale_decoder_outputs } = parseT5Config({ ...least, ...change });
    return [tie_word_embeddings, scale_decoder_outputs];
  };
  assert.deepEqual(read({}), [true, true]);
  assert.deepEqual(read({ tie_word_embeddings: false }), [false, false]);
  assert.deepEqual(read({ tie_word_embeddings: true, scale_decoder_outputs: false }), [true, false]);
  const { num_layers, num_decoder_layers, d_kv, decoder_start_token_id } = parseT5Config({
    ...least,
    num_layers: 3,
  });
  assert.deepEqual([num_layers, num_decoder_layers, d_kv, decoder_start_token_id], [3, 3, 64, 0]);
  assert.throws(() => t5({ ...least, feed_forward_proj: "gated-silu" }), {
    name: "UserError",
    message: /"relu" or "gated-gelu"/,
  });
});
