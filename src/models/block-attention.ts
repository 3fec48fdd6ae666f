// Causal attention block of queries by block of queries, with its gradient: what lies after a block's last query is not
// computed. Heads that share keys meet them in one product. Knows no positions but those of packed examples' beginnings.

import { sizeOf } from "../base/dtype.ts";
import {
  add,
  apply,
  concat,
  gather,
  matMul,
  mul,
  reshape,
  slice,
  softmax,
  split,
  sub,
  transpose,
  withPullback,
} from "../graph/build.ts";
import { constant, int64s, scalar, type Tensor } from "../graph/tensor.ts";

/** Rows of queries that attend together: what lies after the last of them is not computed at all. */
const BLOCK = 128;

export type Attended = {
  /** [batch, heads, length, d]. */
  readonly queries: Tensor;
  /** [batch, kv heads, d, length]. */
  readonly keys: Tensor;
  /** [batch, kv heads, length, d]. */
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
export function attendInBlocks(attended: Attended): Tensor {
  const { queries, packed } = attended;
  const [keys, values] = [shared(attended.keys), shared(attended.values)];
  const length = queries.shape[2]!;
  const isLong = length > LONG;
  const rows = rowsOf(attended, isLong ? OTHER_BLOCK : BLOCK);
  const counts = [...rows, ...rowsOf(attended, BLOCK)].map(({ start, end }) => end - start);
  const maskOf = (count: number) => (packed ? causalMask(count, [count]) : partedMask(attended, count));
  const masks = new Map([...new Set(counts)].map((count) => [count, maskOf(count)]));
  const forward = { queries, keys, values, packed, rows, masks };
  const weights = rows.map((block) => probabilities(forward, block, slice(queries, 2, rangeOf(block))));
  const mixed = concat(
    weights.map((p, i) => apart(matMul(p, slice(values, 3, metBy(rows[i]!))), queries.shape[1]!)),
    2,
  );
  const rule = (dy: Tensor) =>
    attentionGradients({ ...forward, mixed, weights: isLong ? null : weights }, dy);
  return withPullback(mixed, { of: [queries, keys, values], rule });
}

/**
 * softmax(QKᵀ)V of few queries [1, heads, n, d] that stand anywhere in their sequence, at `places` int64 [n]; keys and
 * values are all of it.
 */
export function attendFrom({ queries, keys, values, packed }: Attended, places: Tensor): Tensor {
  const [heads, n, length] = [queries.shape[1]!, queries.shape[2]!, keys.shape[3]!];
  const at = constant(
    "float32",
    [1, length],
    Float32Array.from({ length }, (_, i) => i),
  );
  const own = reshape(apply("Cast", [places], { to: 1 }), [n, 1]);
  const later = sub(at, own);
  const first = packed ? sub(gather(reshape(packed.starts, [length, 1]), places), at) : null;
  const hidden = apply("Max", [first ? apply("Max", [later, first]) : later, scalar(0)]);
  const scores = apart(matMul(together(queries, keys), shared(keys)), heads);
  const weights = softmax(add(scores, mul(hidden, scalar(-1e30))));
  return apart(matMul(together(weights, keys), shared(values)), heads);
}

type Scored = Pick<Attended, "keys" | "packed"> & {
  /** What hides later keys of the same block, by its number of rows. */
  readonly masks: ReadonlyMap<number, Tensor>;
};

/**
 * Rows of all heads [batch, heads, n, d] as [batch, kv heads, parts, rows, d]: heads that share keys stand below one another
 * and meet them in one product. An odd number of products is halved, so that two threads have as much to do.
 */
function together(x: Tensor, keys: Tensor): Tensor {
  const kvHeads = keys.shape[1]!;
  const { parts, rows } = partsOf(x.shape, kvHeads);
  return reshape(x, [x.shape[0]!, kvHeads, parts, rows, x.shape[3]!]);
}

function partsOf(shape: readonly number[], kvHeads: number): { parts: number; rows: number } {
  const [batch, heads, n] = shape as [number, number, number];
  const rows = (heads / kvHeads) * n;
  const parts = heads > kvHeads && (batch * kvHeads) % 2 === 1 && rows % 2 === 0 ? 2 : 1;
  return { parts, rows: rows / parts };
}

/** The contrary of `together`: [batch, heads, n, d]. */
function apart(x: Tensor, heads: number): Tensor {
  const [batch, kvHeads, parts, rows, d] = x.shape as [number, number, number, number, number];
  return reshape(x, [batch, heads, (kvHeads * parts * rows) / heads, d]);
}

/** Keys or values as all parts meet them: [batch, kv heads, 1, .., ..]. */
function shared(x: Tensor): Tensor {
  const [batch, kvHeads, a, b] = x.shape as [number, number, number, number];
  return reshape(x, [batch, kvHeads, 1, a, b]);
}

/** Probabilities [batch, kv heads, parts, rows, end - from] of a block's own queries. */
function probabilities({ keys, masks, packed }: Scored, block: Rows, queries: Tensor): Tensor {
  const own = together(queries, keys);
  const scoresOf = (met: Range) => matMul(own, slice(keys, 4, met));
  const { from, start, end } = block;
  const causal = masks.get(end - start)!;
  if (packed !== null) {
    const scores = apart(scoresOf(metBy(block)), queries.shape[1]!);
    return together(softmax(add(scores, otherExamples(packed.starts, block, causal))), keys);
  }
  // Only what stands on the diagonal needs hiding.
  const before = start === from ? [] : [scoresOf([from, start])];
  return softmax(concat([...before, add(scoresOf([start, end]), causal)], 4));
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

/** What is added to scores [...rows, count], heads below one another: nothing, or enough to hide a key. */
function causalMask(count: number, rows: readonly number[]): Tensor {
  const values = Float32Array.from({ length: sizeOf(rows) * count }, (_, i) =>
    i % count <= Math.floor(i / count) % count ? 0 : -1e30,
  );
  return constant("float32", [...rows, count], values);
}

/** The same for scores of parts as `together` makes them. */
function partedMask({ queries, keys }: Pick<Attended, "queries" | "keys">, count: number): Tensor {
  const [batch, heads, , d] = queries.shape as [number, number, number, number];
  const { parts, rows } = partsOf([batch, heads, count, d], keys.shape[1]!);
  return causalMask(count, [parts, rows]);
}

/**
 * Rows of a block in the forward pass of what is computed again on the way back: a runtime keeps memory for the next
 * tensor of the same size, and with equal ones that of every block would be kept from one pass to the other.
 */
const OTHER_BLOCK = 120;

/** From this length on probabilities are computed again on the way back: held, they grow with its square. */
export const LONG = 1024;

/** Keys and values are `shared`. */
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
  const delta = apply("ReduceSum", [mul(dy, mixed), int64s([3])], { keepdims: 1 });
  // Turned once instead of in every product: the narrow operands, never a block of scores.
  const all = {
    keysT: turned(keys),
    valuesT: turned(values),
    delta,
  };
  if (held !== null) return gradientsAtOnce({ ...all, rows, queries, dy }, held);
  const again = recomputed(forward);
  const ownOf = (i: number) => [again.queries, dy].map((x) => slice(x, 2, rangeOf(rows[i]!)));
  const dq: Tensor[] = [];
  let sums: readonly Tensor[] = [];
  let low = queries.shape[2]!;
  // From the last to the first: a block needs less memory than the one after it, whose memory it can have.
  let own = ownOf(rows.length - 1);
  for (let i = rows.length - 1; i >= 0; i--) {
    const weights = probabilities(again, rows[i]!, own[0]!);
    const plain = slice(queries, 2, rangeOf(rows[i]!));
    const part = blockGradients({ ...all, weights, queries: plain, dy: own[1]! }, rows[i]!);
    const below = low - rows[i]!.from;
    const sum = [part.dk, part.dvT].map((x, k) => (sums[k] ? addBefore(sums[k], x, below) : x));
    low = rows[i]!.from;
    const next = i > 0 ? ownOf(i - 1) : [];
    const done = inOneStep([part.dq, ...sum, ...next]);
    dq.unshift(done[0]!);
    sums = done.slice(1, 3);
    own = done.slice(3);
  }
  return [concat(dq, 2), ofParts(sums[0]!), turned(ofParts(sums[1]!))];
}

type AtOnce = Omit<Turned, "weights"> & { readonly rows: readonly Rows[] };

/** The same where probabilities were held: parts of all blocks, then each key's sum, so that no sum is copied twice. */
function gradientsAtOnce({ rows, dy, ...all }: AtOnce, held: readonly Tensor[]): [Tensor, Tensor, Tensor] {
  const parts = rows.map((block, i) => {
    const [queries, own] = [all.queries, dy].map((x) => slice(x, 2, rangeOf(block)));
    return blockGradients({ ...all, weights: held[i]!, queries: queries!, dy: own! }, block);
  });
  const summed = (what: "dk" | "dvT") =>
    sumByKeys(
      parts.map((part) => part[what]),
      rows,
    );
  return [
    concat(
      parts.map(({ dq }) => dq),
      2,
    ),
    ofParts(summed("dk")),
    turned(ofParts(summed("dvT"))),
  ];
}

/** What the keys of all blocks get together, [.., d, length]: parts [.., d, end - from], cut where a block begins or ends. */
function sumByKeys(parts: readonly Tensor[], rows: readonly Rows[]): Tensor {
  const cuts = [...new Set(rows.flatMap(metBy))].sort((a, b) => a - b);
  const sums = new Map<number, Tensor>();
  rows.forEach((block, i) => {
    const own = cuts.filter((cut) => cut >= block.from && cut <= block.end);
    const sizes = own.slice(1).map((cut, k) => cut - own[k]!);
    split(parts[i]!, sizes, 4).forEach((piece, k) => {
      const before = sums.get(own[k]!);
      sums.set(own[k]!, before ? add(before, piece) : piece);
    });
  });
  return concat(
    cuts.slice(0, -1).map((cut) => sums.get(cut)!),
    4,
  );
}

/** With the last two axes turned. */
function turned(x: Tensor): Tensor {
  const rank = x.shape.length;
  return transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** The sum of what the parts gave: [batch, kv heads, 1, d, length]. */
function ofParts(x: Tensor): Tensor {
  return x.shape[2] === 1 ? x : apply("ReduceSum", [x, int64s([2])], { keepdims: 1 });
}

type Turned = Readonly<Record<"weights" | "queries" | "dy" | "delta" | "keysT" | "valuesT", Tensor>>;

/**
 * dQ of a block's queries, and dKᵀ and dVᵀ [batch, kv heads, parts, d, end - from] of the keys and values that it met;
 * queries and dy are its own rows.
 */
function blockGradients(all: Turned, block: Rows): Record<"dq" | "dk" | "dvT", Tensor> {
  const { weights, keysT, valuesT } = all;
  const heads = all.queries.shape[1]!;
  const met = metBy(block);
  const [queries, dy, delta] = [all.queries, all.dy, slice(all.delta, 2, rangeOf(block))].map((x) =>
    together(x, keysT),
  ) as [Tensor, Tensor, Tensor];
  const dScores = mul(weights, sub(matMul(dy, slice(valuesT, 4, met)), delta));
  return {
    dq: apart(matMul(dScores, slice(keysT, 3, met)), heads),
    dk: matMul(turned(queries), dScores),
    dvT: matMul(turned(dy), weights),
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
  const shared = part.shape[4]! - below;
  if (shared === 0) return concat([part, sum], 4);
  const parts = below === 0 ? [part] : split(part, [below, shared], 4);
  const [first, rest] = split(sum, [shared, sum.shape[4]! - shared], 4);
  return concat([...parts.slice(0, -1), add(first!, parts.at(-1)!), rest!], 4);
}

type Range = readonly [number, number];

function rangeOf({ start, end }: Rows): Range {
  return [start, end];
}

function metBy({ from, end }: Rows): Range {
  return [from, end];
}
