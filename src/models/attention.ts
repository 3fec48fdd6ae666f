// Attention for training and for generation, given to a model as its `attend` hook: products that can be
// differentiated, or ONNX Runtime's fused operator over a cache. Rotary positions belong here because the fused
// operator does both.

import { apply, applyAll, expand, gather, mul, reshape, transpose } from "../graph/build.ts";
import { constant, input, int64s, scalar, type Tensor } from "../graph/tensor.ts";
import { attendFrom, attendInBlocks, LONG } from "./block-attention.ts";
import { hasTiles, longAttention } from "./long-attention.ts";
import type { AttentionConfig, Hooks } from "./model.ts";
import { type RopeConfig, ropeFrequencies } from "./rope.ts";

export type Extent = {
  readonly batch: number;
  readonly length: number;
  /**
   * For rows of several examples each: a query meets at most so many positions before its block. Programs then take
   * `positions` int64 [batch, length], counted from each example's first, and `starts` float32 [batch, length], where in
   * the row that first stands.
   */
  readonly reach?: number;
};

/** cos and sin of every position's angles, each [positions, head_dim / 2]. */
export function rotaryTables(config: RopeConfig, positions: number): { cos: Tensor; sin: Tensor } {
  const half = config.head_dim / 2;
  const frequencies = ropeFrequencies(config);
  const angles = Float64Array.from({ length: positions * half }, (_, i) =>
    Math.fround(Math.floor(i / half) * frequencies[i % half]!),
  );
  const table = (f: (angle: number) => number) =>
    constant("float32", [positions, half], Float32Array.from(angles, f));
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/**
 * Causal attention within each of `batch` sequences of `length` positions, or within each example of such a row. Where
 * `rows` int64 [n] names places of the one sequence, only these attend.
 */
export function causalAttention(
  config: AttentionConfig,
  extent: Extent,
  rows: Tensor | null = null,
): Hooks["attend"] {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: d } = config;
  const { batch, length, reach } = extent;
  const { cos, sin } = rotaryTables(config, length);
  const packed = reach === undefined ? null : { reach, starts: input("starts", "float32", [batch, length]) };
  const ids = packed === null ? plainPositions(extent) : input("positions", "int64", [batch, length]);
  const rotate = (x: Tensor, n: number) =>
    apply("RotaryEmbedding", [reshape(x, [batch, length, n * d]), ids, cos, sin]);
  /** [batch, heads, length, d], or with the last two axes turned. */
  const byHead = (x: Tensor, { n, perm }: { n: number; perm: readonly number[] }) =>
    transpose(reshape(x, [batch, length, n, d]), perm);
  const shape = { batch, length, heads: kvHeads, group: heads / kvHeads, d };
  if (packed === null && rows === null && length > LONG && hasTiles(shape)) {
    return (q, k, v) => {
      const scaled = mul(rotate(q, heads), scalar(1 / Math.sqrt(d)));
      return longAttention({ q: scaled, k: rotate(k, kvHeads), v }, shape);
    };
  }
  if (rows) {
    return (q, k, v) => {
      const n = rows.shape[0]!;
      const scaled = mul(reshape(rotate(q, heads), [length, heads * d]), scalar(1 / Math.sqrt(d)));
      const queries = transpose(reshape(gather(scaled, rows), [1, n, heads, d]), [0, 2, 1, 3]);
      const keys = byHead(rotate(k, kvHeads), { n: kvHeads, perm: [0, 2, 3, 1] });
      const values = byHead(v, { n: kvHeads, perm: [0, 2, 1, 3] });
      const mixed = attendFrom({ queries, keys, values, packed }, rows);
      return reshape(transpose(mixed, [0, 2, 1, 3]), [n, heads * d]);
    };
  }
  return (q, k, v) => {
    const queries = byHead(mul(rotate(q, heads), scalar(1 / Math.sqrt(d))), { n: heads, perm: [0, 2, 1, 3] });
    const keys = byHead(rotate(k, kvHeads), { n: kvHeads, perm: [0, 2, 3, 1] });
    const values = byHead(v, { n: kvHeads, perm: [0, 2, 1, 3] });
    return reshape(transpose(attendInBlocks({ queries, keys, values, packed }), [0, 2, 1, 3]), [
      batch * length,
      heads * d,
    ]);
  };
}

function plainPositions({ batch, length }: Extent): Tensor {
  const row = BigInt64Array.from({ length }, (_, i) => BigInt(i));
  return expand(constant("int64", [1, length], row), [batch, length]);
}

/** What attention over a cache reads and writes, for one block. */
export type Cache = {
  readonly pastKey: Tensor;
  readonly pastValue: Tensor;
  /** Positions in all after this run, minus one: int32 [1]. */
  readonly seqlens: Tensor;
  /** Positions in all after this run: int32 scalar. */
  readonly total: Tensor;
  readonly tables: { readonly cos: Tensor; readonly sin: Tensor };
};

/** Attention of `length` new positions over a cache of one sequence; `present` receives the cache that follows. */
export function cachedAttention(
  config: AttentionConfig,
  cache: Cache & { readonly length: number },
  present: (key: Tensor, value: Tensor) => void,
): Hooks["attend"] {
  const { num_attention_heads, num_key_value_heads, head_dim } = config;
  return (q, k, v) => {
    const row = (x: Tensor) => apply("Reshape", [x, int64s([1, cache.length, x.shape[1]!])]);
    const [mixed, key, value] = applyAll(
      "GroupQueryAttention",
      [
        row(q),
        row(k),
        row(v),
        cache.pastKey,
        cache.pastValue,
        cache.seqlens,
        cache.total,
        cache.tables.cos,
        cache.tables.sin,
      ],
      {
        num_heads: num_attention_heads,
        kv_num_heads: num_key_value_heads,
        do_rotary: 1,
        scale: 1 / Math.sqrt(head_dim),
      },
    );
    present(key!, value!);
    return reshape(mixed!, [cache.length, num_attention_heads * head_dim]);
  };
}
