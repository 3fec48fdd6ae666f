// Weights in blocks of 32: what lies on a grid comes back as it was, the rest near it; and a network that holds its
// weights so has the loss and gradient of those weights.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import { createAdapter } from "../adapters/create.ts";
import { parseAdapter } from "../adapters/options.ts";
import { createRandom } from "../base/random.ts";
import { gradients } from "../graph/gradient.ts";
import { input } from "../graph/tensor.ts";
import { allParameters } from "../models/model.ts";
import { createModel } from "../models/table.ts";
import { createBuffer } from "../runtime/device.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { type Storage, storedBytes, storedGroups, storedProduct, storeLayer } from "./stored.ts";

const GROUP = { names: ["a", "b"], outs: [3, 5], inner: 64 };
const random = createRandom(3);

/** Weights of both layers of the group, one block of 32 after another. */
function layers(block: () => readonly number[]) {
  return Object.fromEntries(
    GROUP.names.map((name, i) => {
      const values = Float32Array.from(Array.from({ length: GROUP.outs[i]! * 2 }, block).flat());
      return [`${name}.weight`, createBuffer("float32", [GROUP.outs[i]!, 64], values)];
    }),
  );
}

const uniform = () => Array.from({ length: 32 }, () => random.uniform() - 0.5);
/** A block as a format has it: a scale of half precision, and integers of which the extremes occur. */
const grid = (low: number, high: number, least: number) => () => {
  const scale = 2 ** -10 * (1 + random.below(1000) / 1024);
  const whole = Array.from({ length: 32 }, (_, i) =>
    i === 3 ? low : i === 20 ? high : low + random.below(high - low + 1),
  );
  return whole.map((value) => Math.fround(scale * value + least));
};

/** y = xWᵀ and dx of the group, as its program has them, and as the weights themselves give them. */
async function products(weights: ReturnType<typeof layers>, storage: Storage) {
  const [group] = storedGroups([GROUP], storage);
  const x = input("x", "float32", [2, 64]);
  const y = storedProduct(x, group!);
  const [dx] = gradients([{ output: y, gradient: input("dy", "float32", [2, 8]) }], [x]);
  const held = storeLayer(weights, [group!]);
  const numbers = {
    x: Float32Array.from({ length: 128 }, () => random.uniform() - 0.5),
    dy: Float32Array.from({ length: 16 }, () => random.uniform() - 0.5),
  };
  const feeds = Object.fromEntries(Object.entries(held).map(([name, { data }]) => [name, data]));
  const found = await evaluate({ y, dx: dx! }, { ...numbers, ...feeds });
  const rows = GROUP.names.flatMap((name) => {
    const { data } = weights[`${name}.weight`]!;
    return Array.from({ length: data.length / 64 }, (_, i) =>
      Array.from(data.slice(i * 64, i * 64 + 64), Number),
    );
  });
  const wantedY = [0, 1].flatMap((n) =>
    rows.map((row) => row.reduce((sum, w, i) => sum + w * numbers.x[n * 64 + i]!, 0)),
  );
  const wantedDx = [0, 1].flatMap((n) =>
    Array.from({ length: 64 }, (_, i) =>
      rows.reduce((sum, row, o) => sum + row[i]! * numbers.dy[n * 8 + o]!, 0),
    ),
  );
  const size = Object.values(held).reduce((bytes, { data }) => bytes + data.byteLength, 0);
  assert.equal(size, storedBytes(group!));
  const worst = (a: readonly number[], b: readonly number[]) =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) /
    b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Math.max(worst(numbersOf(found, "y"), wantedY), worst(numbersOf(found, "dx"), wantedDx));
}

for (const [name, storage, block] of [
  ["Q8_0", "int8", grid(-127, 127, 0)],
  ["Q4_0", "int4", grid(-8, 6, 0)],
  ["Q4_1", "int4", grid(0, 15, -0.031)],
  ["Q4_K, not all values used", "int4", grid(2, 11, -0.02)],
  ["zeros", "int4", () => new Array(32).fill(0.25)],
] as const) {
  test(`a block of ${name} is held as ${storage} exactly`, async () => {
    const difference = await products(layers(block), storage);
    assert.ok(difference < 1e-5, `${difference}`);
  });
}

test("other weights come back near, and nearer with eight bits", async () => {
  const weights = layers(uniform);
  const [four, eight] = [await products(weights, "int4"), await products(weights, "int8")];
  assert.ok(four < 0.1 && four > 0.005, `${four}`);
  assert.ok(eight < 0.01 && eight > 1e-5, `${eight}`);
});

test("inputs that are no multiple of a block stay as they are", () => {
  assert.deepEqual(storedGroups([{ ...GROUP, inner: 48 }], "int4"), []);
  assert.deepEqual(storedGroups([GROUP], "f32"), []);
});

const model = createModel({
  model_type: "llama",
  vocab_size: 96,
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
});
if (model.kind !== "decoder") assert.fail("a Llama is a decoder");

/** A model's weights, of which the matrices are on grids of 16 values or not. */
function network(isGrid: boolean): EngineOptions["read"] {
  const held = new Map(
    allParameters(model).map(({ name, shape }) => {
      const size = shape.reduce((n, extent) => n * extent, 1);
      if (shape.length === 1) return [name, new Float32Array(size).fill(1)];
      const block = isGrid ? grid(-8, 7, 0) : () => uniform().map((value) => value * 0.16);
      return [name, Float32Array.from(Array.from({ length: size / 32 }, block).flat())];
    }),
  );
  return ((name: string) => held.get(name)!.slice()) as EngineOptions["read"];
}

async function measure(read: EngineOptions["read"], options: Partial<EngineOptions>) {
  const adapter = createAdapter(parseAdapter("lora[r=4]"), { model, read } as never, createRandom(5));
  const moved = createRandom(6);
  for (const { data } of adapter.arrays.values())
    for (let i = 0; i < data.length; i++) data[i]! += (moved.uniform() - 0.5) * 0.05;
  const given = { model, read, adapter, trainable: "adapter", device: { threads: 1, arena: true } } as const;
  const engine = new Engine({ ...given, ...options } as EngineOptions);
  const ids = createRandom(8);
  const sequence = { ids: Int32Array.from({ length: 150 }, () => ids.below(96)), promptLength: 40 };
  const nll = await engine.accumulate(engine.pack([sequence], 1)[0]!);
  const gradient = Float32Array.from([...engine.trained.values()].flatMap((array) => [...array.gradient]));
  await engine.dispose();
  return { nll, gradient };
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

test("a network whose weights lie on grids trains as in f32, whatever is kept", async () => {
  const read = network(true);
  const wanted = await measure(read, {});
  for (const keeping of ["nothing", "all"] as const) {
    const found = await measure(read, { storage: "int4", keeping });
    assert.ok(Math.abs(found.nll - wanted.nll) < 1e-4 * wanted.nll, `${found.nll}, ${wanted.nll}`);
    assert.ok(cosine(found.gradient, wanted.gradient) > 0.99999);
  }
});

test("other weights train nearly as in f32, and twice with the same bits", async () => {
  const read = network(false);
  const wanted = await measure(read, {});
  for (const [storage, least] of [
    ["int8", 0.9999],
    ["int4", 0.97],
  ] as const) {
    const found = await measure(read, { storage });
    assert.ok(Math.abs(found.nll - wanted.nll) < 0.02 * wanted.nll);
    const near = cosine(found.gradient, wanted.gradient);
    assert.ok(near > least && near < 1, `${storage}: ${near}`);
    assert.deepEqual(await measure(read, { storage }), found);
  }
});
