// The head in parts against the head whole: loss and gradients agree, with a matrix in f32, and in f16 where its numbers
// are f16; several parts, a last one that overlaps, more targets than one run takes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { createModel } from "../models/table.ts";
import { type Buffer, createBuffer } from "../runtime/device.ts";
import { halfValues, toHalf } from "../weights/half.ts";
import type { Batch } from "./batch.ts";
import { Head } from "./head.ts";
import type { Setup } from "./stages.ts";
import { PART } from "./vocabulary.ts";

const [vocab_size, width, rows] = [2 * PART + 300, 32, 700];
const model = createModel({
  model_type: "llama",
  vocab_size,
  hidden_size: width,
  intermediate_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  tie_word_embeddings: true,
});
const random = createRandom(3);
const numbers = (size: number, scale: number) =>
  Float32Array.from({ length: size }, () => (random.uniform() - 0.5) * scale);
const halves = toHalf(numbers(vocab_size * width, 2));
const exact = Float32Array.from(halves, (half) => halfValues()[half]!);
const states = createBuffer("float32", [rows, width], numbers(rows * width, 4));
const norm = createBuffer("float32", [width], numbers(width, 2));
const matrices = {
  f32: createBuffer("float32", [vocab_size, width], exact),
  f16: createBuffer("float16", [vocab_size, width], halves),
};

function batchOf(targets: number): Batch {
  const labels = Array.from({ length: targets }, (_, i) =>
    i === 0 ? vocab_size - 1 : random.below(vocab_size),
  );
  return {
    extent: { batch: 1, length: rows },
    ids: new BigInt64Array(rows),
    rows: Array.from({ length: targets }, (_, i) => rows - targets + i),
    labels,
    weights: labels.map(() => random.uniform()),
  } as unknown as Batch;
}

async function run(setup: Pick<Setup, "trainable" | "vocabulary">, batch: Batch) {
  const head = new Head({ threads: 1, arena: true });
  const matrix = matrices[setup.vocabulary ?? "f32"];
  const feeds = { "model.embed_tokens.weight": matrix, "model.norm.weight": norm };
  const given: { dx: Buffer; nll: number[] } = {
    dx: createBuffer("float32", [rows, width], new Float32Array(rows * width)),
    nll: [],
  };
  const work = { setup: { model, adapter: null, ...setup } as Setup, feeds, batch, states };
  for await (const { out, scatter, count } of head.run("headBackward", work)) {
    given.nll.push(...(out.nll!.data as Float32Array).subarray(0, count));
    scatter(out.dx!, given.dx);
  }
  const told: number[] = [];
  for await (const { out, count } of head.run("headForward", work))
    told.push(...(out.nll!.data as Float32Array).subarray(0, count));
  await head.dispose();
  return { ...given, told };
}

function worst(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  const size = Array.from(wanted).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Array.from(found).reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0) / size;
}

for (const targets of [3, 600]) {
  test(`${targets} targets through the parts of a vocabulary as through the whole`, async () => {
    const batch = batchOf(targets);
    // Where everything is trained the head goes whole.
    const whole = await run({ trainable: "all" }, batch);
    assert.ok(whole.nll.every((value) => value > 0));
    for (const vocabulary of ["f32", "f16"] as const) {
      const parts = await run({ trainable: "adapter", vocabulary }, batch);
      assert.ok(worst(parts.nll, whole.nll) < 1e-5, `${worst(parts.nll, whole.nll)}`);
      const difference = worst(parts.dx.data as Float32Array, whole.dx.data as Float32Array);
      assert.ok(difference < 1e-5, `${difference}`);
      assert.ok(worst(parts.told, whole.told) < 1e-5);
    }
  });
}
