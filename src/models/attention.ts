// Attention for training and for generation, given to a model as its `attend` hook: products that can be
// differentiated, or ONNX Runtime's fused operator over a cache. Rotary positions belong here because the fused
// operator does both.

import { add, apply, applyAll, expand, matMul, mul, reshape, softmax, transpose } from "../graph/build.ts";
import { constant, int64s, scalar, type Tensor } from "../graph/tensor.ts";
import type { AttentionConfig, Hooks } from "./model.ts";
import { type RopeConfig, ropeFrequencies } from "./rope.ts";

export type Extent = { readonly batch: number; readonly length: number };

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

/** Rows of queries that attend together: what lies after the last of them is not computed at all. */
const BLOCK = 128;

/** Causal attention within each of `batch` sequences of `length` positions. */
export function causalAttention(config: AttentionConfig, { batch, length }: Extent): Hooks["attend"] {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: d } = config;
  const { cos, sin } = rotaryTables(config, length);
  const row = BigInt64Array.from({ length }, (_, i) => BigInt(i));
  const ids = expand(constant("int64", [1, length], row), [batch, length]);
  const rotate = (x: Tensor, n: number) =>
    apply("RotaryEmbedding", [reshape(x, [batch, length, n * d]), ids, cos, sin]);
  /** [batch, heads, length, d], or with the last two axes turned. */
  const split = (x: Tensor, { n, perm }: { n: number; perm: readonly number[] }) =>
    transpose(reshape(x, [batch, length, n, d]), perm);
  const repeat = (x: Tensor) => repeatHeads(x, heads / kvHeads);
  return (q, k, v) => {
    const queries = split(mul(rotate(q, heads), scalar(1 / Math.sqrt(d))), { n: heads, perm: [0, 2, 1, 3] });
    const keys = repeat(split(rotate(k, kvHeads), { n: kvHeads, perm: [0, 2, 3, 1] }));
    const values = repeat(split(v, { n: kvHeads, perm: [0, 2, 1, 3] }));
    const blocks: Tensor[] = [];
    for (let start = 0; start < length; start += BLOCK) {
      const end = Math.min(length, start + BLOCK);
      const scores = matMul(slice(queries, 2, [start, end]), slice(keys, 3, [0, end]));
      blocks.push(matMul(softmax(add(scores, causalMask(start, end))), slice(values, 2, [0, end])));
    }
    const mixed = blocks.length === 1 ? blocks[0]! : apply("Concat", blocks, { axis: 2 });
    return reshape(transpose(mixed, [0, 2, 1, 3]), [batch * length, heads * d]);
  };
}

/** What is added to scores [.., end - start, end] of the queries from `start` on: nothing, or enough to hide a key. */
function causalMask(start: number, end: number): Tensor {
  const values = Float32Array.from({ length: (end - start) * end }, (_, i) =>
    i % end <= start + Math.floor(i / end) ? 0 : -1e30,
  );
  return constant("float32", [end - start, end], values);
}

function slice(x: Tensor, axis: number, [start, end]: readonly [number, number]): Tensor {
  if (start === 0 && end === x.shape[axis]) return x;
  return apply("Slice", [x, int64s([start]), int64s([end]), int64s([axis])]);
}

/** [batch, kv heads, a, b] with each head repeated `times` in place: [batch, kv heads · times, a, b]. */
function repeatHeads(x: Tensor, times: number): Tensor {
  if (times === 1) return x;
  const [batch, heads, a, b] = x.shape as [number, number, number, number];
  const wide = expand(reshape(x, [batch, heads, 1, a, b]), [batch, heads, times, a, b]);
  return reshape(wide, [batch, heads * times, a, b]);
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
