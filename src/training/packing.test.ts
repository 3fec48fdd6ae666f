// Sequences that share a row: all of their targets are there, and loss, gradient and loss by sequence are those of
// sequences run one by one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdapter } from "../adapters/create.ts";
import { parseAdapter } from "../adapters/options.ts";
import { createRandom } from "../base/random.ts";
import { allParameters } from "../models/model.ts";
import { createModel } from "../models/table.ts";
import type { Sequence } from "./batch.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { sequenceLosses } from "./loss.ts";
import { choosePacking, type Packing, packTogether } from "./packing.ts";

const model = createModel({
  model_type: "llama",
  vocab_size: 96,
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
});
if (model.kind !== "decoder") assert.fail("a Llama is a decoder");

const random = createRandom(17);
const held = new Map(
  allParameters(model).map(({ name, shape }) => {
    const size = shape.reduce((n, extent) => n * extent, 1);
    const values = Float32Array.from({ length: size }, () => (random.uniform() - 0.5) * 0.16);
    return [name, shape.length === 1 ? values.fill(1) : values];
  }),
);

function open(kind: string, options: Partial<EngineOptions>): Engine {
  const read = (name: string) => held.get(name)!.slice();
  const adapter = createAdapter(parseAdapter(kind), { model, read } as never, createRandom(5));
  const moved = createRandom(6);
  for (const { data } of adapter.arrays.values())
    for (let i = 0; i < data.length; i++) data[i]! += (moved.uniform() - 0.5) * 0.05;
  const given = { model, read, adapter, trainable: "adapter", device: { threads: 1, arena: true } } as const;
  return new Engine({ ...given, ...options } as EngineOptions);
}

/** Sequences of 2 to `longest` ids, of different weights. */
function someSequences(count: number, longest: number): Sequence[] {
  return Array.from({ length: count }, (_, i) => {
    const length = i === 0 ? longest : 2 + random.below(longest - 1);
    const ids = Int32Array.from({ length }, () => random.below(96));
    return { ids, promptLength: random.below(length), weight: 1 + (i % 3) };
  });
}

test("every target is there once, behind the id before it and with its weight; no row is too long", () => {
  for (const [count, longest, length] of [
    [1, 20, 512],
    [40, 90, 512],
    [25, 300, 512],
    [9, 700, 512],
  ] as const) {
    const sequences = someSequences(count, longest);
    const batches = packTogether(sequences, { length, longest });
    const found = sequences.map(() => [] as number[]);
    for (const { extent, ids, rows, labels, owners, weights, segments } of batches) {
      assert.ok(extent.length <= Math.max(512, longest + 127));
      assert.equal(ids.length, extent.length);
      segments!.starts.forEach((start, at) => {
        assert.equal(Number(segments!.positions[at]), at - start);
        assert.ok(start >= Math.floor(at / 128) * 128 - extent.reach!, "out of reach");
      });
      rows.forEach((row, i) => {
        const sequence = sequences[owners[i]!]!;
        const position = Number(segments!.positions[row]) + 1;
        assert.equal(labels[i], sequence.ids[position]);
        assert.equal(Number(ids[row]), sequence.ids[position - 1]);
        assert.equal(weights[i], sequence.weight);
        found[owners[i]!]!.push(position);
      });
    }
    sequences.forEach(({ ids, promptLength }, i) => {
      const first = Math.max(1, promptLength);
      assert.deepEqual(
        found[i],
        Array.from({ length: ids.length - first }, (_, k) => first + k),
      );
    });
  }
});

test("fewer ids are computed than one by one, with the padding of both", () => {
  const sequences = someSequences(40, 90);
  const packed = packTogether(sequences, { length: 512, longest: 90 });
  const ids = packed.reduce((n, batch) => n + batch.ids.length, 0);
  assert.ok(ids < 1.2 * sequences.reduce((n, sequence) => n + sequence.ids.length, 0));
});

test("where three of usual length fit into a row they share it, unless it is said otherwise", () => {
  const short = someSequences(20, 200);
  const long = Array.from({ length: 5 }, () => ({ ids: new Int32Array(400), promptLength: 1 }));
  assert.deepEqual(choosePacking(short, 512, null), { length: 512, longest: 200 });
  assert.equal(choosePacking(short, 512, false), null);
  assert.equal(choosePacking(long, 512, null), null);
  assert.deepEqual(choosePacking(long, 512, true), { length: 512, longest: 400 });
  assert.equal(choosePacking([], 512, true), null);
});

async function measure(engine: Engine, sequences: readonly Sequence[]) {
  let nll = 0;
  for (const batch of engine.pack(sequences, 1)) nll += await engine.accumulate(batch, 3);
  const gradient = Float32Array.from([...engine.trained.values()].flatMap((array) => [...array.gradient]));
  const losses = await sequenceLosses(engine, sequences);
  await engine.dispose();
  return { nll, gradient, losses };
}

const CASES: [string, { readonly count: number } & Packing, Partial<EngineOptions>][] = [
  ["lora[r=4]", { count: 9, length: 512, longest: 120 }, {}],
  ["lora[r=4]", { count: 7, length: 512, longest: 300 }, { keeping: "linear" }],
  ["lora[r=4,use_dora=true]", { count: 9, length: 384, longest: 160 }, { keeping: "all" }],
  ["pfeiffer+inv", { count: 6, length: 256, longest: 200 }, { keeping: "all", kept_layers: 1 }],
  // So long that attention is computed again on the way back.
  ["lora[r=4]", { count: 14, length: 1408, longest: 250 }, {}],
];

for (const [kind, { count, ...packing }, options] of CASES) {
  test(`loss and gradient of rows of ${packing.length} are those of one by one: ${kind}`, async () => {
    const sequences = someSequences(count, packing.longest);
    const wanted = await measure(open(kind, options), sequences);
    const packed = open(kind, { ...options, packing, held_rows: 2048 });
    const batches = packed.pack(sequences, 1);
    assert.ok(batches.length < count);
    const found = await measure(packed, sequences);
    assert.ok(Math.abs(found.nll - wanted.nll) < 1e-5 * wanted.nll, `${found.nll}, ${wanted.nll}`);
    found.losses.forEach((loss, i) => {
      assert.ok(Math.abs(loss - wanted.losses[i]!) < 1e-5 * wanted.losses[i]!, `loss of ${i}`);
    });
    const size = wanted.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    assert.ok(size > 1e-3);
    const worst = found.gradient.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - wanted.gradient[i]!)),
      0,
    );
    assert.ok(worst < 1e-5 * size, `${worst} of ${size}`);
  });
}

test("rows of eight-bit products are rounded as in sequences alone", async () => {
  const sequences = someSequences(8, 100);
  const results = [];
  for (const packing of [null, { length: 512, longest: 100 }]) {
    const engine = open("lora[r=4]", { compute: "int8", packing });
    assert.ok((await engine.prepare(sequences))?.passed);
    results.push(await measure(engine, sequences));
  }
  const [alone, packed] = results.map(({ nll }) => nll);
  assert.ok(Math.abs(packed! - alone!) < 1e-4 * alone!, `${packed}, ${alone}`);
});

test("programs of several shapes are held and change nothing", async () => {
  const sequences = someSequences(6, 200);
  const wanted = await measure(open("lora[r=4]", {}), sequences);
  const found = await measure(open("lora[r=4]", { held_rows: 4096 }), sequences);
  assert.deepEqual(found, wanted);
});
