// A last block that computes only what the targets need gives what one for all rows gives: loss and every gradient.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdapter } from "../adapters/create.ts";
import { parseAdapter } from "../adapters/options.ts";
import { createRandom } from "../base/random.ts";
import { allParameters } from "../models/model.ts";
import { createModel } from "../models/table.ts";
import { type Batch, packBatches } from "./batch.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { packTogether } from "./packing.ts";
import { wantedRows } from "./wanted.ts";

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

const draw = createRandom(3);
const held = new Map(
  allParameters(model).map(({ name, shape }) => {
    const size = shape.reduce((n, extent) => n * extent, 1);
    return [name, Float32Array.from({ length: size }, () => (draw.uniform() - 0.5) * 0.6)];
  }),
);
const read = (name: string) => held.get(name)!.slice();

function open(kind: string | null, options: Partial<EngineOptions> = {}): Engine {
  const adapter = kind ? createAdapter(parseAdapter(kind), { model, read }, createRandom(5)) : null;
  const random = createRandom(6);
  for (const { data } of adapter?.arrays.values() ?? [])
    for (let i = 0; i < data.length; i++) data[i]! += (random.uniform() - 0.5) * 0.05;
  const trainable = kind ? "adapter" : "all";
  return new Engine({ model, read, adapter, trainable, device: { threads: 2, arena: true }, ...options });
}

function sequence(length: number, targets: number) {
  const ids = Int32Array.from({ length }, () => draw.below(96));
  return { ids, promptLength: length - targets, weight: 0.5 + draw.uniform() };
}

/** Two engines after the same sequences: loss and gradients are the same. */
async function requireSame(
  engine: Engine,
  batch: Batch,
  plain: () => Promise<[Engine, number]>,
): Promise<void> {
  assert.notEqual(wantedRows(batch), null);
  const loss = await engine.accumulate(batch);
  const [other, wanted] = await plain();
  assert.ok(Math.abs(loss - wanted) <= 1e-6 * wanted, `${loss}, wanted ${wanted}`);
  for (const [name, { gradient }] of other.trained) {
    const found = engine.trained.get(name)!.gradient;
    const size = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const off = gradient.reduce((most, v, i) => Math.max(most, Math.abs(v - found[i]!)), 0);
    assert.ok(size > 0 && off <= 1e-5 * size, `${name}: ${off} of ${size}`);
  }
  engine.clearGradients();
  other.clearGradients();
}

const cases: [string | null, Partial<EngineOptions>][] = [
  ["lora[r=4]", { keeping: "all" }],
  ["lora[r=4]", { keeping: "linear", kept_layers: 1 }],
  ["pfeiffer", {}],
  [null, { keeping: "all" }],
];

for (const [kind, options] of cases) {
  test(`one sequence and a row of several, ${kind ?? "every weight"}, ${options.keeping ?? "nothing"} kept`, async () => {
    const [engine, plain] = [open(kind, options), open(kind)];
    for (const targets of [1, 64, 70]) {
      const [batch] = packBatches([sequence(300, targets)], 1);
      // Who looks into the blocks is shown all rows.
      await requireSame(engine, batch!, async () => [plain, await plain.accumulate(batch!, 0, () => {})]);
    }
    const several = [90, 110, 40].map((length) => sequence(length, 20));
    const [batch] = packTogether(several, { length: 256, longest: 110 });
    const [apart] = packBatches(several, 3);
    await requireSame(engine, batch!, async () => [plain, await plain.accumulate(apart!)]);
    await engine.dispose();
    await plain.dispose();
  });
}

test("likelihoods are those of all rows, in their order", async () => {
  const engine = open("lora[r=4]");
  const long = sequence(200, 30);
  const [alone] = packBatches([long], 1);
  const [beside] = packBatches([long, sequence(190, 3)], 2);
  assert.equal(wantedRows(beside!), null);
  const found = await engine.evaluate(alone!);
  const wanted = (await engine.evaluate(beside!)).filter((_, i) => beside!.owners[i] === 0);
  assert.equal(found.length, 30);
  found.forEach((nll, i) => {
    assert.ok(Math.abs(nll - wanted[i]!) < 1e-5, `${i}: ${nll}, wanted ${wanted[i]}`);
  });
  await engine.dispose();
});

test("rows are the targets' and no row comes twice; where half of all are wanted all are computed", () => {
  const [batch] = packBatches([sequence(256, 100)], 1);
  const rows = wantedRows(batch!)!;
  assert.deepEqual([...rows].slice(0, 100).map(Number), batch!.rows);
  assert.equal(new Set(rows).size, 128);
  assert.equal(wantedRows(packBatches([sequence(256, 130)], 1)[0]!), null);
  assert.equal(wantedRows(packBatches([sequence(4000, 60)], 1)[0]!), null);
});
