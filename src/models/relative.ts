// Attention with T5's relative positions: distances fall into buckets, and a table says what each bucket adds to the
// scores. Source: `_relative_position_bucket` and `compute_bias` of transformers:src/transformers/models/t5/modeling_t5.py
// (Raffel et al., 2020).

import {
  add,
  apply,
  expand,
  matMul,
  mul,
  reshape,
  slice,
  softmax,
  sub,
  transpose,
  withPullback,
} from "../graph/build.ts";
import { sumTo } from "../graph/ops/elementwise.ts";
import { constant, int64s, type Tensor } from "../graph/tensor.ts";
import type { Masks, Padded, RelativeConfig } from "./encoder-decoder.ts";

type Buckets = Pick<RelativeConfig, "relative_attention_num_buckets" | "relative_attention_max_distance">;

/** The bucket of a distance (key's position minus query's); a one-sided table takes what lies ahead for 0. */
export function bucketOf(distance: number, config: Buckets, twoSided: boolean): number {
  const all = config.relative_attention_num_buckets;
  const count = twoSided ? Math.floor(all / 2) : all;
  const offset = twoSided && distance > 0 ? count : 0;
  const far = twoSided ? Math.abs(distance) : Math.max(-distance, 0);
  const exact = Math.floor(count / 2);
  if (far < exact) return offset + far;
  // Every step in f32, as in the reference: at the border of two buckets it decides.
  const ratio = Math.fround(
    Math.fround(Math.log(Math.fround(far / exact))) /
      Math.fround(Math.log(config.relative_attention_max_distance / exact)),
  );
  const log = exact + Math.floor(Math.fround(ratio * (count - exact)));
  return offset + Math.min(log, count - 1);
}

/** Queries side by side, keys that each looks at, and the distance of the first query to the first key. */
export type Span = { readonly queries: number; readonly keys: number; readonly first: number };

/** What the table [buckets, heads] adds to the scores of a span: [heads, queries, keys]. */
export function relativeBias(
  config: RelativeConfig,
  table: Tensor,
  { queries, keys, first, twoSided }: Span & { readonly twoSided: boolean },
): Tensor {
  const { num_heads: heads, relative_attention_num_buckets: buckets } = config;
  // One row for each distance, the first query's to its keys, then those that come before them from the farthest on:
  // read with a step of one place less than its width, it gives each query its own row. Its gradient is then sums, with
  // no scattered adding.
  const wide = queries + keys;
  const one = new Float32Array(wide * buckets);
  for (let at = 0; at < wide; at++)
    one[at * buckets + bucketOf(first + (at < keys ? at : at - wide), config, twoSided)] = 1;
  const values = transpose(matMul(constant("float32", [wide, buckets], one), table), [1, 0]);
  const repeated = reshape(expand(reshape(values, [heads, 1, wide]), [heads, queries, wide]), [
    heads,
    queries * wide,
  ]);
  const shifted = reshape(slice(repeated, 1, [0, queries * (wide - 1)]), [heads, queries, wide - 1]);
  return slice(shifted, 2, [0, keys]);
}

/** What hides from each query of `length` the keys after it: [length, length]. */
export function causalBias(length: number): Tensor {
  const values = Float32Array.from({ length: length * length }, (_, i) =>
    i % length <= Math.floor(i / length) ? 0 : -1e30,
  );
  return constant("float32", [length, length], values);
}

/** What hides what is not there from everyone: [batch, 1, 1, length], 0 or enough to leave no weight. */
export function paddingMask(lengths: readonly number[], { batch, length }: Padded): Masks[string] {
  const data = Float32Array.from({ length: batch * length }, (_, i) =>
    i % length < (lengths[Math.floor(i / length)] ?? 0) ? 0 : -1e30,
  );
  return { shape: [batch, 1, 1, length], data };
}

export type Crossing = { readonly batch: number; readonly queries: number; readonly keys: number };

/** Attention of q [batch · queries, heads·d] over k and v [batch · keys, heads·d], unscaled, as T5 has it; each of
 * `biases` is added to the scores [batch, heads, queries, keys]. */
export function biasedAttention(
  { num_heads: heads, d_kv: d }: RelativeConfig,
  { batch, queries, keys }: Crossing,
  biases: readonly Tensor[],
): (q: Tensor, k: Tensor, v: Tensor) => Tensor {
  const split = (x: Tensor, length: number, perm: readonly number[]) =>
    transpose(reshape(x, [batch, length, heads, d]), perm);
  return (q, k, v) => {
    const parts = {
      queries: split(q, queries, [0, 2, 1, 3]),
      keys: split(k, keys, [0, 2, 3, 1]),
      values: split(v, keys, [0, 2, 1, 3]),
    };
    return reshape(transpose(attend(parts, biases), [0, 2, 1, 3]), [batch * queries, heads * d]);
  };
}

/** `queries` and `values` are [batch, heads, length, d], `keys` have the last two axes turned. */
type Parts = Readonly<Record<"queries" | "keys" | "values", Tensor>>;

/**
 * softmax(QKᵀ + biases)V and its gradient: dS = P∘(dP - rowsum(dO∘O)) (FlashAttention, Dao et al., 2022). The narrow
 * operands are turned for its products, never the scores.
 */
function attend({ queries, keys, values }: Parts, biases: readonly Tensor[]): Tensor {
  const scores = biases.reduce((sum, bias) => add(sum, bias), matMul(queries, keys));
  const weights = softmax(scores);
  const mixed = matMul(weights, values);
  const rule = (dy: Tensor) => {
    const delta = apply("ReduceSum", [mul(dy, mixed), int64s([3])], { keepdims: 1 });
    const dScores = mul(weights, sub(matMul(dy, turned(values)), delta));
    return [
      matMul(dScores, turned(keys)),
      matMul(turned(queries), dScores),
      turned(matMul(turned(dy), weights)),
      ...biases.map((bias) => sumTo(apply, dScores, bias.shape)),
    ];
  };
  return withPullback(mixed, { of: [queries, keys, values, ...biases], rule });
}

/** With the last two of four axes turned. */
function turned(x: Tensor): Tensor {
  return transpose(x, [0, 1, 3, 2]);
}
