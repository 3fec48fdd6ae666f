// Attention against direct formulas in double precision: the angles, the rotation, grouped heads, and the fused
// operator over a cache against the plain products.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import { createRandom } from "../base/random.ts";
import { apply } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { constant, constantValues, input, int64s, type Tensor } from "../graph/tensor.ts";
import { cachedAttention, causalAttention, rotaryTables } from "./attention.ts";
import type { AttentionConfig } from "./model.ts";

const config: AttentionConfig = {
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  rope_theta: 10000,
  rope_scaling: null,
};
const HEADS = config.num_attention_heads * config.head_dim;
const KV = config.num_key_value_heads * config.head_dim;

function values(seed: number, count: number): number[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => Math.fround(2 * random.uniform() - 1));
}

function requireClose(found: readonly number[], wanted: readonly number[], tolerance: number): void {
  assert.equal(found.length, wanted.length);
  found.forEach((value, i) => {
    assert.ok(Math.abs(value - wanted[i]!) <= tolerance, `element ${i}: ${value}, expected ${wanted[i]}`);
  });
}

/** Rotates pairs (i, i + d/2) of one head by position · theta^(-2i/d). */
function rotated(head: readonly number[], position: number): number[] {
  const half = head.length / 2;
  return head.map((value, i) => {
    const angle = position * config.rope_theta ** ((-2 * (i % half)) / head.length);
    const other = i < half ? -head[i + half]! : head[i - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

/** Causal attention of one sequence, one output row for each position, written out. */
function direct({ q, k, v }: Readonly<Record<"q" | "k" | "v", readonly number[]>>, length: number): number[] {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: d } = config;
  const headOf = (x: readonly number[], { row, width, head }: { row: number; width: number; head: number }) =>
    x.slice(row * width + head * d, row * width + (head + 1) * d);
  return Array.from({ length }, (_, row) =>
    Array.from({ length: heads }, (_, head) => {
      const query = rotated(headOf(q, { row, width: HEADS, head }), row);
      const from = Math.floor(head / (heads / kvHeads));
      const weights = Array.from({ length: row + 1 }, (_, at) => {
        const key = rotated(headOf(k, { row: at, width: KV, head: from }), at);
        return Math.exp(query.reduce((total, x, i) => total + x * key[i]!, 0) / Math.sqrt(d));
      });
      const whole = weights.reduce((total, weight) => total + weight, 0);
      return Array.from({ length: d }, (_, i) =>
        weights.reduce(
          (total, w, at) => total + (w / whole) * headOf(v, { row: at, width: KV, head: from })[i]!,
          0,
        ),
      );
    }).flat(),
  ).flat();
}

test("rotary tables are cos and sin of position · theta^(-2i/d)", () => {
  const { cos, sin } = rotaryTables(config, 2048);
  assert.deepEqual(
    [cos.shape, sin.shape],
    [
      [2048, 8],
      [2048, 8],
    ],
  );
  const [c, s] = [constantValues(cos), constantValues(sin)];
  for (const position of [0, 1, 7, 500, 2047]) {
    for (let i = 0; i < 8; i++) {
      const angle = position * 10000 ** (-i / 8);
      // Angles are f32, as in the reference: at 2,047 a unit in the last place is 1.2e-4.
      requireClose([c[position * 8 + i]!, s[position * 8 + i]!], [Math.cos(angle), Math.sin(angle)], 2e-4);
    }
  }
  requireClose([c[8 + 1]!], [Math.cos(10000 ** (-1 / 8))], 1e-7);
});

test("RotaryEmbedding rotates pairs (i, i + d/2) of each head", async () => {
  const x = values(1, 3 * KV);
  const { cos, sin } = rotaryTables(config, 8);
  const y = apply("RotaryEmbedding", [
    input("x", "float32", [1, 3, KV]),
    apply("Reshape", [int64s([0, 5, 2]), int64s([1, 3])]),
    cos,
    sin,
  ]);
  const wanted = [0, 5, 2].flatMap((position, row) =>
    [0, 1].flatMap((head) => rotated(x.slice(row * KV + head * 16, row * KV + (head + 1) * 16), position)),
  );
  requireClose(numbersOf(await evaluate({ y }, { x }), "y"), wanted, 1e-5);
});

const length = 5;
const numbers = {
  q: values(2, 2 * length * HEADS),
  k: values(3, 2 * length * KV),
  v: values(4, 2 * length * KV),
};
const wanted = [0, 1].flatMap((sequence) => {
  const part = (x: readonly number[]) => x.slice((sequence * x.length) / 2, ((sequence + 1) * x.length) / 2);
  return direct({ q: part(numbers.q), k: part(numbers.k), v: part(numbers.v) }, length);
});

test("causal attention with grouped heads, two sequences in a batch, is the formula written out", async () => {
  const attend = causalAttention(config, { batch: 2, length });
  const rows = (name: string, width: number) => input(name, "float32", [2 * length, width]);
  const y = attend(rows("q", HEADS), rows("k", KV), rows("v", KV));
  requireClose(numbersOf(await evaluate({ y }, numbers), "y"), wanted, 1e-5);
});

test("several blocks of queries are the formula written out, and differentiate as it does", async () => {
  const long = 300;
  const given = { q: values(5, long * HEADS), k: values(6, long * KV), v: values(7, long * KV) };
  const rows = (name: string, width: number) => input(name, "float32", [long, width]);
  const wrt = [rows("q", HEADS), rows("k", KV), rows("v", KV)] as const;
  const y = causalAttention(config, { batch: 1, length: long })(...wrt);
  requireClose(numbersOf(await evaluate({ y }, given), "y"), direct(given, long), 1e-5);
  const dy = values(8, long * HEADS);
  const [q, k, v] = gradients([{ output: y, gradient: input("dy", "float32", y.shape) }], wrt);
  const slopes = await evaluate({ dq: q!, dk: k!, dv: v! }, { ...given, dy });
  const lossOf = (numbers: typeof given) =>
    direct(numbers, long).reduce((sum, value, i) => sum + value * dy[i]!, 0);
  for (const [name, at] of [
    ["q", 200 * HEADS + 5],
    ["k", 100 * KV + 3],
    ["k", 290 * KV + 20],
    ["v", 130 * KV + 1],
  ] as const) {
    const moved = (step: number) => ({
      ...given,
      [name]: given[name].map((x, i) => (i === at ? x + step : x)),
    });
    const numeric = (lossOf(moved(1e-4)) - lossOf(moved(-1e-4))) / 2e-4;
    requireClose([numbersOf(slopes, `d${name}`)[at]!], [numeric], 1e-4);
  }
});

/** Attention as one product with a mask over all of it, after the rotation: what the blocks must equal. */
function dense(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const rows = q.shape[0]!;
  const { cos, sin } = rotaryTables(config, rows);
  const ids = apply("Reshape", [int64s([...Array(rows).keys()]), int64s([1, rows])]);
  const heads = (x: Tensor, perm: readonly number[], rotates: boolean) => {
    const flat = apply("Reshape", [x, int64s([1, rows, x.shape[1]!])]);
    const turned = rotates ? apply("RotaryEmbedding", [flat, ids, cos, sin]) : flat;
    const parts = apply("Reshape", [turned, int64s([rows, x.shape[1]! / 16, 16])]);
    const each = apply("Transpose", [parts], { perm });
    const [n, a, b] = each.shape as [number, number, number];
    const wide = apply("Expand", [apply("Reshape", [each, int64s([n, 1, a, b])]), int64s([n, 4 / n, a, b])]);
    return apply("Reshape", [wide, int64s([4, a, b])]);
  };
  const hidden = Float32Array.from({ length: rows * rows }, (_, i) =>
    i % rows <= Math.floor(i / rows) ? 0 : -1e30,
  );
  const products = apply("MatMul", [heads(q, [1, 0, 2], true), heads(k, [1, 2, 0], true)]);
  const scores = apply("Mul", [products, constant("float32", [], Float32Array.of(0.25))]);
  const weights = apply("Softmax", [apply("Add", [scores, constant("float32", [rows, rows], hidden)])], {
    axis: -1,
  });
  const mixed = apply("Transpose", [apply("MatMul", [weights, heads(v, [1, 0, 2], false)])], {
    perm: [1, 0, 2],
  });
  return apply("Reshape", [mixed, int64s([rows, HEADS])]);
}

for (const long of [1100, 1152]) {
  test(`probabilities are not held, and all is what one large product gives: length ${long}`, async () => {
    const given = {
      ...{ q: values(5, long * HEADS), k: values(6, long * KV), v: values(7, long * KV) },
      dy: values(8, long * HEADS),
    };
    const rows = (name: string, width: number) => input(name, "float32", [long, width]);
    const wrt = [rows("q", HEADS), rows("k", KV), rows("v", KV)] as const;
    const all = async (y: Tensor) => {
      const [dq, dk, dv] = gradients([{ output: y, gradient: input("dy", "float32", y.shape) }], wrt);
      return evaluate({ y, dq: dq!, dk: dk!, dv: dv! }, given);
    };
    const found = await all(causalAttention(config, { batch: 1, length: long })(...wrt));
    const wanted = await all(dense(...wrt));
    for (const name of ["y", "dq", "dk", "dv"])
      requireClose(numbersOf(found, name), numbersOf(wanted, name), 1e-5);
  });
}

test("grouped heads equal heads that are repeated beforehand", async () => {
  const repeat = (x: readonly number[]) =>
    Array.from({ length: x.length / 16 }, (_, i) => x.slice(i * 16, i * 16 + 16)).flatMap((h) => [
      ...h,
      ...h,
    ]);
  const attend = causalAttention({ ...config, num_key_value_heads: 4 }, { batch: 2, length });
  const rows = (name: string) => input(name, "float32", [2 * length, HEADS]);
  const y = attend(rows("q"), rows("k"), rows("v"));
  const wide = { q: numbers.q, k: repeat(numbers.k), v: repeat(numbers.v) };
  requireClose(numbersOf(await evaluate({ y }, wide), "y"), wanted, 1e-5);
});

for (const parts of [[5], [2, 3], [1, 1, 1, 1, 1]]) {
  test(`attention over a cache is the plain products, in runs of ${parts.join(", ")}`, async () => {
    const capacity = 8;
    let key = new Float32Array(KV * capacity) as Float32Array;
    let value = new Float32Array(KV * capacity) as Float32Array;
    const found: number[] = [];
    let start = 0;
    for (const count of parts) {
      const end = start + count;
      const slice = (x: readonly number[], width: number) => x.slice((end - count) * width, end * width);
      start = end;
      const results = await evaluate(cached(count, capacity), {
        q: slice(numbers.q, HEADS),
        k: slice(numbers.k, KV),
        v: slice(numbers.v, KV),
        past_key: key,
        past_value: value,
        seqlens: [end - 1],
        total: [end],
      });
      found.push(...numbersOf(results, "y"));
      key = results.present_key!.data as Float32Array;
      value = results.present_value!.data as Float32Array;
    }
    requireClose(found, wanted.slice(0, length * HEADS), 1e-5);
    // Keys enter the cache rotated, values as they are.
    const first = Array.from({ length: 2 }, (_, at) =>
      rotated(numbers.k.slice(at * KV, at * KV + 16), at),
    ).flat();
    requireClose([...key.slice(0, 32)], first, 1e-5);
    requireClose([...value.slice(16, 32)], numbers.v.slice(KV, KV + 16), 0);
  });
}

function cached(count: number, capacity: number): Record<string, Tensor> {
  const past = [1, config.num_key_value_heads, capacity, config.head_dim];
  const outputs: Record<string, Tensor> = {};
  const cache = {
    length: count,
    pastKey: input("past_key", "float32", past),
    pastValue: input("past_value", "float32", past),
    seqlens: input("seqlens", "int32", [1]),
    total: input("total", "int32", []),
    tables: rotaryTables(config, capacity),
  };
  const attend = cachedAttention(config, cache, (present_key, present_value) => {
    Object.assign(outputs, { present_key, present_value });
  });
  const rows = (name: string, width: number) => input(name, "float32", [count, width]);
  outputs.y = attend(rows("q", HEADS), rows("k", KV), rows("v", KV));
  return outputs;
}
