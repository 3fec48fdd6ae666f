// Attention for training and for generation, given to a model as its `attend` hook: products that can be
// differentiated, or ONNX Runtime's fused operator over a cache. Rotary positions belong here because the fused
// operator does both.

import { sizeOf } from "../base/dtype.ts";
import {
  add,
  apply,
  applyAll,
  concat,
  expand,
  matMul,
  mul,
  reshape,
  softmax,
  split,
  sub,
  transpose,
  withPullback,
} from "../graph/build.ts";
import { constant, input, int64s, scalar, type Tensor } from "../graph/tensor.ts";
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

/** Rows of queries that attend together: what lies after the last of them is not computed at all. */
const BLOCK = 128;

/** Causal attention within each of `batch` sequences of `length` positions, or within each example of such a row. */
export function causalAttention(config: AttentionConfig, extent: Extent): Hooks["attend"] {
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
  const repeat = (x: Tensor) => repeatHeads(x, heads / kvHeads);
  return (q, k, v) => {
    const queries = byHead(mul(rotate(q, heads), scalar(1 / Math.sqrt(d))), { n: heads, perm: [0, 2, 1, 3] });
    const keys = repeat(byHead(rotate(k, kvHeads), { n: kvHeads, perm: [0, 2, 3, 1] }));
    const values = repeat(byHead(v, { n: kvHeads, perm: [0, 2, 1, 3] }));
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

type Attended = {
  /** [batch, heads, length, d]. */
  readonly queries: Tensor;
  /** [batch, heads, d, length]. */
  readonly keys: Tensor;
  /** [batch, heads, length, d]. */
  readonly values: Tensor;
  /** Rows of several examples: how far a query reaches at most, and where its example begins [batch, length]. */
  readonly packed: { readonly reach: number; readonly starts: Tensor } | null;
};

/** Blocks of so many rows. */
function rowsOf({ queries, packed }: Pick<Attended, "queries" | "packed">, size: number): Rows[] {
  const length = queries.shape[2]!;
  return Array.from({ length: Math.ceil(length / size) }, (_, i) => ({
    from: Math.max(0, i * size - (packed?.reach ?? length)),
    start: i * size,
    end: Math.min(length, (i + 1) * size),
  }));
}

/** Queries from `start` to `end`, which attend to keys between `from` and `end`. */
type Rows = { readonly from: number; readonly start: number; readonly end: number };

/**
 * softmax(QKᵀ)V block of queries by block of queries, and its gradient (FlashAttention, Dao et al., 2022, without its
 * online softmax): dS = P∘(dP - rowsum(dO∘O)).
 */
function attendInBlocks(attended: Attended): Tensor {
  const { queries, keys, values } = attended;
  const length = queries.shape[2]!;
  const isLong = length > LONG;
  const rows = rowsOf(attended, isLong ? OTHER_BLOCK : BLOCK);
  const counts = [...rows, ...rowsOf(attended, BLOCK)].map(({ start, end }) => end - start);
  const masks = new Map([...new Set(counts)].map((count) => [count, causalMask(count)]));
  const forward = { ...attended, rows, masks };
  const weights = rows.map((block) => probabilities(forward, block, slice(queries, 2, rangeOf(block))));
  const mixed = concat(
    weights.map((p, i) => matMul(p, slice(values, 2, metBy(rows[i]!)))),
    2,
  );
  const rule = (dy: Tensor) =>
    attentionGradients({ ...forward, mixed, weights: isLong ? null : weights }, dy);
  return withPullback(mixed, { of: [queries, keys, values], rule });
}

type Scored = Pick<Attended, "keys" | "packed"> & {
  /** What hides later keys of the same block, by its number of rows. */
  readonly masks: ReadonlyMap<number, Tensor>;
};

/** Probabilities [.., end - start, end - from] of a block's own queries. */
function probabilities({ keys, masks, packed }: Scored, block: Rows, own: Tensor): Tensor {
  const { from, start, end } = block;
  const causal = masks.get(end - start)!;
  if (packed !== null) {
    const scores = matMul(own, slice(keys, 3, metBy(block)));
    return softmax(add(scores, otherExamples(packed.starts, block, causal)));
  }
  // Only what stands on the diagonal needs hiding.
  const before = start === from ? [] : [matMul(own, slice(keys, 3, [from, start]))];
  const diagonal = add(matMul(own, slice(keys, 3, [start, end])), causal);
  return softmax(concat([...before, diagonal], 3));
}

/** What is added to scores [.., end - start, end - from] to hide keys of other examples and later ones: at least -1e30. */
function otherExamples(starts: Tensor, block: Rows, causal: Tensor): Tensor {
  const { from, start, end } = block;
  const own = reshape(slice(starts, 1, rangeOf(block)), [starts.shape[0]!, 1, end - start, 1]);
  const at = constant(
    "float32",
    [end - from],
    Float32Array.from({ length: end - from }, (_, i) => from + i),
  );
  const before = apply("Max", [sub(own, at), scalar(0)]);
  const hidden = mul(before, scalar(-1e30));
  if (from === start) return add(hidden, causal);
  const zeros = constant(
    "float32",
    [end - start, start - from],
    new Float32Array((end - start) * (start - from)),
  );
  return add(hidden, concat([zeros, causal], 1));
}

/** What is added to scores [.., count, count]: nothing, or enough to hide a key. */
function causalMask(count: number): Tensor {
  const values = Float32Array.from({ length: count * count }, (_, i) =>
    i % count <= Math.floor(i / count) ? 0 : -1e30,
  );
  return constant("float32", [count, count], values);
}

/**
 * Rows of a block in the forward pass of what is computed again on the way back: a runtime keeps memory for the next
 * tensor of the same size, and with equal ones that of every block would be kept from one pass to the other.
 */
const OTHER_BLOCK = 120;

/** From this length on probabilities are computed again on the way back: held, they grow with its square. */
const LONG = 1024;

type Forward = Attended &
  Scored & {
    readonly mixed: Tensor;
    readonly rows: readonly Rows[];
    /** Probabilities of each block; `null` where they are to be computed again. */
    readonly weights: readonly Tensor[] | null;
  };

function attentionGradients(forward: Forward, dy: Tensor): [Tensor, Tensor, Tensor] {
  const { queries, keys, values, mixed, weights: held } = forward;
  const rows = rowsOf(forward, BLOCK);
  const turned = (x: Tensor) => transpose(x, [0, 1, 3, 2]);
  const delta = apply("ReduceSum", [mul(dy, mixed), int64s([3])], { keepdims: 1 });
  // Turned once instead of in every product: the narrow operands, never a block of scores.
  const all = {
    dyT: turned(dy),
    queriesT: turned(queries),
    keysT: turned(keys),
    valuesT: turned(values),
    delta,
  };
  const again = held === null ? recomputed(forward) : null;
  const ownOf = (i: number) => [again?.queries ?? queries, dy].map((x) => slice(x, 2, rangeOf(rows[i]!)));
  const dq: Tensor[] = [];
  let sums: readonly Tensor[] = [];
  let low = queries.shape[2]!;
  // From the last to the first: a block needs less memory than the one after it, whose memory it can have.
  let own = ownOf(rows.length - 1);
  for (let i = rows.length - 1; i >= 0; i--) {
    const weights = again ? probabilities(again, rows[i]!, own[0]!) : held![i]!;
    const part = blockGradients({ ...all, weights, dy: own[1]! }, rows[i]!);
    const below = low - rows[i]!.from;
    const sum = [part.dk, part.dvT].map((x, k) => (sums[k] ? addBefore(sums[k], x, below) : x));
    low = rows[i]!.from;
    const next = i > 0 ? ownOf(i - 1) : [];
    const done = again ? inOneStep([part.dq, ...sum, ...next]) : [part.dq, ...sum, ...next];
    dq.unshift(done[0]!);
    sums = done.slice(1, 3);
    own = done.slice(3);
  }
  return [concat(dq, 2), sums[0]!, turned(sums[1]!)];
}

type Turned = Readonly<Record<"weights" | "dy" | "delta" | "dyT" | "queriesT" | "keysT" | "valuesT", Tensor>>;

/** dQ of a block's queries, and dKᵀ and dVᵀ [.., d, end - from] of the keys and values that it met; `dy` is its own rows. */
function blockGradients(all: Turned, block: Rows): Record<"dq" | "dk" | "dvT", Tensor> {
  const { weights, dy } = all;
  const rows = rangeOf(block);
  const met = metBy(block);
  const dScores = mul(weights, sub(matMul(dy, slice(all.valuesT, 3, met)), slice(all.delta, 2, rows)));
  return {
    dq: matMul(dScores, slice(all.keysT, 2, met)),
    dk: matMul(slice(all.queriesT, 3, rows), dScores),
    dvT: matMul(slice(all.dyT, 3, rows), weights),
  };
}

/**
 * What probabilities are computed of anew. Factors that cancel keep these nodes apart from the forward pass's, which
 * would otherwise be taken for the same and held.
 */
function recomputed({ queries, keys, masks, packed }: Forward): Scored & { readonly queries: Tensor } {
  return { queries: mul(queries, scalar(2)), keys: mul(keys, scalar(0.5)), masks, packed };
}

/**
 * The tensors, none of which can be had before the others. A runtime that computes first what is wanted first would
 * else hold the scores of all blocks: so a block ends with its sums and what the next one begins with.
 */
function inOneStep(tensors: readonly Tensor[]): Tensor[] {
  const sizes = tensors.map(({ shape }) => sizeOf(shape));
  const flat = concat(
    tensors.map((x, i) => reshape(x, [sizes[i]!])),
    0,
  );
  return split(flat, sizes, 0).map((x, i) => reshape(x, tensors[i]!.shape));
}

/** A sum along the last axis, and a part of which the first `below` values lie before it and the others at its beginning. */
function addBefore(sum: Tensor, part: Tensor, below: number): Tensor {
  const shared = part.shape[3]! - below;
  if (shared === 0) return concat([part, sum], 3);
  const parts = below === 0 ? [part] : split(part, [below, shared], 3);
  const [first, rest] = split(sum, [shared, sum.shape[3]! - shared], 3);
  return concat([...parts.slice(0, -1), add(first!, parts.at(-1)!), rest!], 3);
}

type Range = readonly [number, number];

function rangeOf({ start, end }: Rows): Range {
  return [start, end];
}

function metBy({ from, end }: Rows): Range {
  return [from, end];
}

function slice(x: Tensor, axis: number, [start, end]: Range): Tensor {
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
