// Attention in tiles against one product with a mask over all of it, with its gradient: several sequences, heads that
// share a key head, lengths of several tiles and of one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, numbersOf } from "../../test/evaluate.ts";
import { createRandom } from "../base/random.ts";
import { add, expand, matMul, reshape, softmax, transpose } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { constant, input, type Tensor } from "../graph/tensor.ts";
import { hasTiles, type LongShape, longAttention } from "./long-attention.ts";

function plain({ q, k, v }: Readonly<Record<"q" | "k" | "v", Tensor>>, shape: LongShape): Tensor {
  const { batch, length, heads, group, d } = shape;
  const byHead = (x: Tensor, n: number) => transpose(reshape(x, [batch, length, n, d]), [0, 2, 1, 3]);
  const wide = (x: Tensor) =>
    reshape(
      expand(reshape(byHead(x, heads), [batch, heads, 1, length, d]), [batch, heads, group, length, d]),
      [batch, heads * group, length, d],
    );
  const hidden = Float32Array.from({ length: length * length }, (_, i) =>
    i % length <= Math.floor(i / length) ? 0 : -1e30,
  );
  const scores = matMul(byHead(q, heads * group), transpose(wide(k), [0, 1, 3, 2]));
  const weights = softmax(add(scores, constant("float32", [length, length], hidden)));
  const mixed = transpose(matMul(weights, wide(v)), [0, 2, 1, 3]);
  return reshape(mixed, [batch * length, heads * group * d]);
}

const shapes: Readonly<Record<string, LongShape>> = {
  "three heads to a key head, five tiles": { batch: 1, length: 640, heads: 2, group: 3, d: 16 },
  "two sequences, tiles of 64": { batch: 2, length: 192, heads: 2, group: 2, d: 16 },
  "a key head for each head": { batch: 1, length: 512, heads: 2, group: 1, d: 16 },
  "one tile": { batch: 2, length: 64, heads: 1, group: 2, d: 16 },
  "very long: larger tiles": { batch: 1, length: 4096, heads: 1, group: 1, d: 16 },
};

/** y and the gradients of drawn q, k and v; `shift` is added to every key. */
async function computed(shape: LongShape, attention: typeof longAttention, shift = 0) {
  const { batch, length, heads, group, d } = shape;
  const widths = { q: heads * group * d, k: heads * d, v: heads * d };
  const random = createRandom(3);
  const uniform = (n: number, scale: number, from = 0) =>
    Float32Array.from({ length: n }, () => from + scale * (2 * random.uniform() - 1));
  const inputs = {
    q: input("q", "float32", [batch, length, widths.q]),
    k: input("k", "float32", [batch, length, widths.k]),
    v: input("v", "float32", [batch, length, widths.v]),
  };
  const given = {
    q: uniform(batch * length * widths.q, 2),
    k: uniform(batch * length * widths.k, 2, shift),
    v: uniform(batch * length * widths.v, 1),
    dy: uniform(batch * length * widths.q, 1),
  };
  const y = attention(inputs, shape);
  const seed = { output: y, gradient: input("dy", "float32", y.shape) };
  const [dq, dk, dv] = gradients([seed], [inputs.q, inputs.k, inputs.v]);
  return evaluate({ y, dq: dq!, dk: dk!, dv: dv! }, given);
}

const PARTS = ["y", "dq", "dk", "dv"];

for (const [name, shape] of Object.entries(shapes)) {
  test(`tiles give what one product gives, and its gradient: ${name}`, async () => {
    assert.ok(hasTiles(shape));
    const found = await computed(shape, longAttention);
    const wanted = await computed(shape, plain);
    for (const part of PARTS) {
      const [own, other] = [numbersOf(found, part), numbersOf(wanted, part)];
      const scale = Math.max(...other.map(Math.abs).slice(0, 1e5));
      const off = own.reduce((most, x, i) => Math.max(most, Math.abs(x - other[i]!)), 0);
      assert.ok(off <= 1e-5 * scale, `${part}: off by ${off} of ${scale}`);
    }
  });
}

for (const [shift, steps] of [
  [0, 127],
  [0, 63],
  [20, 127],
] as const) {
  test(`scores in ${steps} steps change little, keys around ${shift} no more`, async () => {
    const shape = shapes["three heads to a key head, five tiles"]!;
    const found = await computed({ ...shape, steps }, longAttention, shift);
    const wanted = await computed(shape, plain, shift);
    for (const part of PARTS) {
      const [own, other] = [numbersOf(found, part), numbersOf(wanted, part)];
      const sum = (f: (x: number, y: number) => number) =>
        own.reduce((total, x, i) => total + f(x, other[i]!), 0);
      const error = Math.sqrt(sum((x, y) => (x - y) ** 2) / sum((_, y) => y * y));
      // Else the scores would not be rounded at all.
      assert.ok(error > 1e-4 && error < 3 / steps, `${part}: relative error ${error}`);
    }
  });
}
