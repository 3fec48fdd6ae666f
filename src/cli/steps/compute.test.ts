// What is refused of the dials, and what a plan says of itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../base/errors.ts";
import { createAnyModel } from "../../models/table.ts";
import { computeOf, explainPlan, planPacking, requireStorage } from "./compute.ts";
import type { Material } from "./material.ts";

const llama = createAnyModel({
  model_type: "llama",
  vocab_size: 96,
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 2,
  num_attention_heads: 4,
});
const t5 = createAnyModel({
  model_type: "t5",
  vocab_size: 96,
  d_model: 64,
  d_kv: 16,
  d_ff: 64,
  num_layers: 1,
  num_heads: 4,
});

function refused(work: () => unknown, pattern: RegExp): void {
  assert.throws(work, (error) => error instanceof UserError && pattern.test(error.message));
}

test("weights in blocks are for an adapter of a decoder in f32", () => {
  const wish = { storage: "int4", compute: "f32", kind: "adapter" } as const;
  assert.equal(requireStorage(llama, wish), "int4");
  assert.equal(requireStorage(t5, { ...wish, storage: "f32" }), "f32");
  refused(() => requireStorage(t5, wish), /found t5; leave --storage out$/);
  refused(() => requireStorage(llama, { ...wish, kind: "all" }), /found every weight trained/);
  refused(() => requireStorage(llama, { ...wish, compute: "int8" }), /found --compute int8/);
});

test("eight-bit products are chosen for an adapter on a base that is large enough, unless something else is said", () => {
  const size = { vocab_size: 50000, hidden_size: 512, intermediate_size: 1536, num_attention_heads: 8 };
  const large = createAnyModel({ model_type: "llama", ...size, num_hidden_layers: 12 });
  const small = createAnyModel({ model_type: "llama", ...size, vocab_size: 8000, num_hidden_layers: 2 });
  const streams = {
    model_type: "xlnet",
    vocab_size: 50000,
    d_model: 1024,
    n_layer: 4,
    n_head: 8,
    d_inner: 2048,
  };
  const unsaid = { compute: null, storage: "f32", kind: "adapter" } as const;
  assert.equal(computeOf(large, unsaid), "int8");
  assert.equal(computeOf(small, unsaid), "f32");
  assert.equal(computeOf(large, { ...unsaid, kind: "all" }), "f32");
  assert.equal(computeOf(createAnyModel(streams), unsaid), "f32");
  assert.equal(computeOf(large, { ...unsaid, storage: "int4" }), "f32");
  assert.equal(computeOf(large, { ...unsaid, compute: "f32" }), "f32");
  assert.equal(computeOf(small, { ...unsaid, compute: "int8" }), "int8");
});

test("packing is a decoder's, chosen by the examples where nothing is said", () => {
  const item = (length: number) => ({ rendered: { ids: new Int32Array(length), promptLength: 1 } });
  const material = { train: [item(60), item(90)], validation: [], older: [] } as unknown as Material;
  const ask = (model: typeof llama, packing: boolean | null) =>
    planPacking({ model, material, max_length: 256 }, { packing });
  assert.deepEqual(ask(llama, null), { length: 256, longest: 90 });
  assert.equal(ask(llama, false), null);
  assert.equal(ask(t5, null), null);
  refused(() => ask(t5, true), /found t5; leave --packing out$/);
});

test("a plan says what it is", () => {
  const plan = { max_length: 256, batch: 2, arena: true, streams: false, memory: 9e8 };
  const kept = {
    keeping: "linear",
    kept_layers: 4,
    kept: 1e8,
    packing: null,
    storage: "int4",
    compute: "f32",
    vocabulary: "f32",
  } as const;
  assert.deepEqual(explainPlan(plan, kept), [
    "Sequences of at most 256 tokens, 2 at a time",
    "Of the last 4 blocks all but attention's probabilities is kept (100 MB)",
    "Frozen weights are held in blocks of 32, int4, and multiplied in f32",
    "Working memory is held from run to run",
    "Predicted peak: 900 MB",
  ]);
  const tight = { ...kept, keeping: "nothing", packing: { length: 256, longest: 90 } } as const;
  const lines = explainPlan({ ...plan, streams: true, arena: false }, tight);
  assert.match(lines[0]!, /short ones together in one row$/);
  assert.match(lines[2]!, /^Frozen weights are read anew/);
  assert.equal(lines.length, 5);
  const rounded = {
    ...kept,
    storage: "f32",
    compute: "int8",
    vocabulary: "f16",
    alone: true,
    once: true,
  } as const;
  const said = explainPlan(plan, rounded);
  assert.match(said[2]!, /eight-bit integers, of weights held once for both directions/);
  assert.match(said[3]!, /^Matrices of the vocabulary are held in 16 bits/);
  assert.match(said[4]!, /^Programs are in memory one at a time/);
  assert.equal(said.length, 7);
});
