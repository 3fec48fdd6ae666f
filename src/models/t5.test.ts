// T5 against transformers and PEFT on tiny random weights, v1.0 and v1.1: loss and every gradient, logits, greedy
// continuations; the pairs are padded to one length, the golden numbers (test/golden/t5) are not.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Network, type Pair } from "../../test/encoder-decoder.ts";
import { readPeft } from "../adapters/peft.ts";
import { createBuffer } from "../runtime/device.ts";
import { openFolder } from "../weights/folder.ts";
import { requireParameters } from "../weights/match.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { allStackParameters } from "./encoder-decoder.ts";
import { bucketOf } from "./relative.ts";
import { parseT5Config, t5 } from "./t5.ts";

const GOLDEN = new URL("../../test/golden/t5/", import.meta.url).pathname;
const json = (path: string) => JSON.parse(readFileSync(`${GOLDEN}${path}`, "utf8"));
const { pairs, greedy } = json("batch.json") as {
  pairs: Pair[];
  greedy: { source: number[]; newTokens: number };
};

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

function open(
  variant: string,
  kind: "base" | "lora",
  sizes: { batch: number; source: number; answer: number },
) {
  const source = openFolder(`${GOLDEN}${variant}`);
  const model = t5(source.config);
  requireParameters(allStackParameters(model), source);
  const adapter = kind === "lora" ? readPeft(`${GOLDEN}${variant}/adapter`) : null;
  const arrays = new Map(
    allStackParameters(model).map(({ name, shape }) => [
      name,
      createBuffer("float32", shape, source.read(name)),
    ]),
  );
  for (const [name, { shape, data }] of adapter?.arrays ?? [])
    arrays.set(name, createBuffer("float32", shape, data));
  source.dispose();
  return new Network(model, adapter?.config ?? null, { arrays, sizes });
}

/** Largest difference over the largest magnitude of an array. */
function relative(found: ArrayLike<number>, wanted: Float32Array): number {
  assert.equal(found.length, wanted.length);
  const size = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0) / (size || 1);
}

const padded = { batch: pairs.length, source: 70, answer: 24 };

for (const variant of ["v1.0", "v1.1"]) {
  for (const kind of ["base", "lora"] as const) {
    test(`${variant}: logits, loss and gradients, ${kind === "base" ? "every weight" : "LoRA"}`, async () => {
      const network = open(variant, kind, padded);
      const { logits } = await network.forward(pairs);
      const width = network.model.vocab_size;
      const golden = openSafetensors(`${GOLDEN}${variant}/logits.safetensors`);
      for (const [i, { answer }] of pairs.entries()) {
        const start = i * padded.answer * width;
        const rows = (logits.data as Float32Array).subarray(start, start + answer.length * width);
        assert.ok(relative(rows, golden.read(`${kind}.${i}`)) < 1e-4, `logits of pair ${i}`);
      }
      const tokens = pairs.reduce((sum, { answer }) => sum + answer.length, 0);
      const loss = (await network.backward(pairs, kind === "base" ? "all" : "adapter")) / tokens;
      const wanted = json(`${variant}/expected.json`).loss[kind];
      assert.ok(Math.abs(loss - wanted) / wanted < 1e-5, `loss ${loss}, expected ${wanted}`);
      const file = kind === "base" ? "full_gradients" : "lora_gradients";
      const slopes = openSafetensors(`${GOLDEN}${variant}/${file}.safetensors`);
      const prefix = kind === "base" ? "" : "base_model.model.";
      assert.deepEqual(
        [...network.gradients.keys()].map((name) => prefix + name).sort(),
        [...slopes.arrays.keys()].sort(),
      );
      for (const [name, gradient] of network.gradients) {
        const difference = relative(
          gradient.map((value) => value / tokens),
          slopes.read(prefix + name),
        );
        assert.ok(difference < 1e-4, `${name}: relative difference ${difference}`);
      }
      await network.dispose();
    });

    test(`${variant}: 64 greedy tokens, ${kind}`, async () => {
      const source = greedy.source.length;
      const network = open(variant, kind, { batch: 1, source, answer: greedy.newTokens });
      const width = network.model.vocab_size;
      const found: number[] = [];
      while (found.length < greedy.newTokens) {
        const { logits } = await network.forward([{ source: greedy.source, answer: [...found, 0] }]);
        const row = (logits.data as Float32Array).subarray(found.length * width, (found.length + 1) * width);
        found.push(row.indexOf(row.reduce((most, value) => Math.max(most, value), -Infinity)));
      }
      assert.deepEqual(found, json(`${variant}/expected.json`).greedy[kind]);
      await network.dispose();
    });
  }
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
