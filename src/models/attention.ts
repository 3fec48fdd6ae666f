// Attention for training and for generation, given to a model as its `attend` hook: products that can be
// differentiated, or ONNX Runtime's fused operator over a cache. Rotary positions belong here because the fused
// operator does both.

import { apply, applyAll, expand, gather, reshape } from "../graph/build.ts";
import { constant, input, int64s, type Tensor } from "../graph/tensor.ts";
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
  /** Steps of attention's scores on eight-bit integers, where a sequence is long; f32 when not given. */
  readonly steps?: number;
};

type Tables = { readonly cos: Tensor; readonly sin: Tensor };

/** cos and sin of every position's angles, each [positions, head_dim / 2]; times a factor, for rotation is linear. */
export function rotaryTables(config: RopeConfig, positions: number, factor = 1): Tables {
  const half = config.head_dim / 2;
  const frequencies = ropeFrequencies(config);
  const angles = Float64Array.from({ length: positions * half }, (_, i) =>
    Math.fround(Math.floor(i / half) * frequencies[i % half]!),
  );
  const table = (f: (angle: number) => number) =>
    constant(
      "float32",
      [positions, half],
      Float32Array.from(angles, (angle) => f(angle) * factor),
    );
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
  const { batch, length, reach, steps } = extent;
  const plain = rotaryTables(config, length);
  const packed = reach === undefined ? null : { reach, starts: input("starts", "float32", [batch, length]) };
  const ids = packed === null ? plainPositions(extent) : input("positions", "int64", [batch, length]);
  const rotate = (x: Tensor, n: number, tables: Tables) =>
    apply("RotaryEmbedding", [reshape(x, [batch, length, n * d]), ids, tables.cos, tables.sin]);
  const scaled = rotaryTables(config, length, 1 / Math.sqrt(d));
  const rotated = (q: Tensor, k: Tensor) => ({
    queries: rotate(q, heads, scaled),
    keys: rotate(k, kvHeads, plain),
  });
  const sizes = { batch, length, heads: kvHeads, group: heads / kvHeads, d };
  const shape = steps === undefined ? sizes : { ...sizes, steps };
  if (packed === null && rows === null && length > LONG && hasTiles(shape)) {
    return (q, k, v) => {
      const { queries, keys } = rotated(q, k);
      return longAttention({ q: queries, k: keys, v }, shape);
    };
  }
  return (q, k, v) => {
    const values = reshape(v, [batch, length, kvHeads * d]);
    const all = { ...rotated(q, k), values, sizes: { batch, heads, kvHeads }, packed };
    const mixed = rows
      ? attendFrom({ ...all, queries: rowsOf(all.queries, rows) }, rows)
      : attendInBlocks(all);
    return reshape(mixed, [batch * mixed.shape[1]!, heads * d]);
  };
}

/** Rows of the one sequence in x [1, length, width]: [1, n, width]. */
function rowsOf(x: Tensor, rows: Tensor): Tensor {
  const [, length, width] = x.shape as [number, number, number];
  return reshape(gather(reshape(x, [length, width]), rows), [1, rows.shape[0]!, width]);
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
  readonly tables: Tables;
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
