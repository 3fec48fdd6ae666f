// Causal attention block of queries by block of queries, with its gradient: what lies after a block's last query is not
// computed. Heads that share keys meet them in one product. Knows no positions but those of packed examples' beginnings.

import { sizeOf } from "../base/dtype.ts";
import {
  add,
  apply,
  concat,
  gather,
  matMul,
  matMulByTurned,
  matMulTurned,
  mul,
  reduceSum,
  reshape,
  slice,
  softmax,
  split,
  sub,
  withPullback,
} from "../graph/build.ts";
import { constant, scalar, type Tensor } from "../graph/tensor.ts";
import {
  asRows,
  type Blocks,
  blocksOf,
  byPosition,
  fromParts,
  joined,
  metBy,
  partsOf,
  type Range,
  type Rows,
  rangeOf,
  type Sizes,
  stacked,
} from "./stacks.ts";

/** Rows of queries that attend together: what lies after the last of them is not computed at all. */
const BLOCK = 128;

export type Attended = {
  /** [batch, length, heads·d]. */
  readonly queries: Tensor;
  /** [batch, length, kv heads·d]. */
  readonly keys: Tensor;
  readonly values: Tensor;
  readonly sizes: Sizes;
  /** Rows of several examples: how far a query reaches at most, and where its example begins [batch, length]. */
  readonly packed: { readonly reach: number; readonly starts: Tensor } | null;
};

/** Blocks of so many rows. */
function rowsOf({ queries, packed }: Pick<Attended, "queries" | "packed">, size: number): Rows[] {
  const length = queries.shape[1]!;
  return Array.from({ length: Math.ceil(length / size) }, (_, i) => ({
    from: Math.max(0, i * size - (packed?.reach ?? length)),
    start: i * size,
    end: Math.min(length, (i + 1) * size),
  }));
}

/**
 * softmax(QKᵀ)V block of queries by block of queries [batch, length, heads·d], and its gradient (FlashAttention, Dao et
 * al., 2022, without its online softmax): dS = P∘(dP - rowsum(dO∘O)).
 */
export function attendInBlocks(attended: Attended): Tensor {
  const { queries, keys, values, sizes } = attended;
  const isLong = queries.shape[1]! > LONG;
  const rows = rowsOf(attended, isLong ? OTHER_BLOCK : BLOCK);
  const counts = [...rows, ...rowsOf(attended, BLOCK)].map(({ start, end }) => end - start);
  const masks = new Map([...new Set(counts)].map((count) => [count, maskOf(attended, count)]));
  const scored = { ...attended, met: asRows(keys, sizes), masks };
  const weights = blocksOf(queries, { rows, sizes }).map((own, i) => probabilities(scored, rows[i]!, own));
  const mixing = asRows(values, sizes);
  const mixed = joined(
    weights.map((p, i) => matMul(p, slice(mixing, 3, metBy(rows[i]!)))),
    sizes,
  );
  const rule = (dy: Tensor) => attentionGradients({ ...scored, mixed, weights: isLong ? null : weights }, dy);
  return withPullback(mixed, { of: [queries, keys, values], rule });
}

/**
 * softmax(QKᵀ)V of few queries [1, n, heads·d] that stand anywhere in their sequence, at `places` int64 [n]; keys and
 * values are all of it.
 */
export function attendFrom({ queries, keys, values, sizes, packed }: Attended, places: Tensor): Tensor {
  const [n, length] = [queries.shape[1]!, keys.shape[1]!];
  const at = constant(
    "float32",
    [1, length],
    Float32Array.from({ length }, (_, i) => i),
  );
  const own = reshape(apply("Cast", [places], { to: 1 }), [n, 1]);
  const later = sub(at, own);
  const first = packed ? sub(gather(reshape(packed.starts, [length, 1]), places), at) : null;
  const hidden = apply("Max", [first ? apply("Max", [later, first]) : later, scalar(0)]);
  const mask = reshape(mul(hidden, scalar(-1e30)), [n, 1, length]);
  const scores = matMulByTurned(stacked(queries, sizes, 1), asRows(keys, sizes));
  const weights = softmax(add(byPosition(scores, sizes), mask));
  return joined([matMul(reshape(weights, scores.shape), asRows(values, sizes))], sizes);
}

type Scored = Pick<Attended, "packed" | "sizes"> & {
  /** Keys `asRows`. */
  readonly met: Tensor;
  /** What hides later keys of the same block, by its number of rows. */
  readonly masks: ReadonlyMap<number, Tensor>;
};

/** Probabilities [1, batch · kv heads, parts, rows, end - from] of a block's own queries, which are `stacked`. */
function probabilities({ met, masks, packed, sizes }: Scored, block: Rows, own: Tensor): Tensor {
  const scoresOf = (range: Range) => matMulByTurned(own, slice(met, 3, range));
  const { from, start, end } = block;
  const causal = masks.get(end - start)!;
  if (packed !== null) {
    const scores = scoresOf(metBy(block));
    const hidden = otherExamples(packed.starts, block, causal);
    return reshape(softmax(add(byPosition(scores, sizes), hidden)), scores.shape);
  }
  // Only what stands on the diagonal needs hiding.
  const before = start === from ? [] : [scoresOf([from, start])];
  return softmax(concat([...before, add(scoresOf([start, end]), causal)], 4));
}

/** What is added to scores as `byPosition` has them, to hide keys of other examples and later ones: at least -1e30. */
function otherExamples(starts: Tensor, block: Rows, causal: Tensor): Tensor {
  const { from, start, end } = block;
  const own = reshape(slice(starts, 1, rangeOf(block)), [starts.shape[0]!, 1, end - start, 1, 1]);
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
    [end - start, 1, start - from],
    new Float32Array((end - start) * (start - from)),
  );
  return add(hidden, concat([zeros, causal], 2));
}

/** What hides later keys of a block of `count` rows from scores of `parts`, or of rows of packed examples by position. */
function maskOf({ sizes, packed }: Attended, count: number): Tensor {
  if (packed) return causalMask(count, [count, 1]);
  const { parts, rows } = partsOf(sizes, count);
  return causalMask(count, [parts, rows]);
}

/** What is added to scores [...rows, count], a position's heads below one another: nothing, or enough to hide a key. */
function causalMask(count: number, rows: readonly number[]): Tensor {
  const group = sizeOf(rows) / count;
  const values = Float32Array.from({ length: sizeOf(rows) * count }, (_, i) =>
    i % count <= Math.floor(i / count / group) ? 0 : -1e30,
  );
  return constant("float32", [...rows, count], values);
}

/**
 * Rows of a block in the forward pass of what is computed again on the way back: a runtime keeps memory for the next
 * tensor of the same size, and with equal ones that of every block would be kept from one pass to the other.
 */
const OTHER_BLOCK = 120;

/** From this length on probabilities are computed again on the way back: held, they grow with its square. */
export const LONG = 1024;

type Forward = Attended &
  Scored & {
    readonly mixed: Tensor;
    /** Probabilities of each block; `null` where they are to be computed again. */
    readonly weights: readonly Tensor[] | null;
  };

function attentionGradients(forward: Forward, dy: Tensor): [Tensor, Tensor, Tensor] {
  const { queries, keys, values, sizes, mixed, weights: held } = forward;
  const { batch, heads } = sizes;
  const [, length, width] = dy.shape as [number, number, number];
  const products = reshape(mul(dy, mixed), [batch, length, heads, width / heads]);
  const all: Gradients = {
    ...{ queries, dy, sizes },
    rows: rowsOf(forward, BLOCK),
    delta: reduceSum(products, [3]),
    keys: asRows(keys, sizes),
    values: asRows(values, sizes),
  };
  const { dq, dk, dv } = held === null ? gradientsInTurn(all, forward) : gradientsAtOnce(all, held);
  return [dq, fromParts(dk, sizes), fromParts(dv, sizes)];
}

type Gradients = Blocks & {
  readonly queries: Tensor;
  readonly dy: Tensor;
  /** [batch, length, heads]. */
  readonly delta: Tensor;
  /** `asRows`. */
  readonly keys: Tensor;
  readonly values: Tensor;
};

/** dq as queries come; dk and dv in parts [1, stacks, parts, d, length]. */
type Given = Readonly<Record<"dq" | "dk" | "dv", Tensor>>;

/** Block after block, each with probabilities computed again and one that has to end before the next begins. */
function gradientsInTurn(all: Gradients, forward: Forward): Given {
  const { rows, sizes, queries } = all;
  const again = recomputed(forward);
  const ownOf = (i: number) => [again.queries, all.dy].map((x) => slice(x, 1, rangeOf(rows[i]!)));
  const dq: Tensor[] = [];
  let sums: readonly Tensor[] = [];
  let low = queries.shape[1]!;
  // From the last to the first: a block needs less memory than the one after it, whose memory it can have.
  let own = ownOf(rows.length - 1);
  for (let i = rows.length - 1; i >= 0; i--) {
    const block = rows[i]!;
    const plain = (x: Tensor) => stacked(slice(x, 1, rangeOf(block)), sizes, 1);
    const part = blockGradients(all, block, {
      weights: probabilities(again, block, stacked(own[0]!, sizes, 1)),
      queries: plain(queries),
      dy: stacked(own[1]!, sizes, 1),
      delta: plain(all.delta),
    });
    const below = low - block.from;
    const sum = [part.dk, part.dv].map((x, k) => (sums[k] ? addBefore(sums[k], x, below) : x));
    low = block.from;
    const next = i > 0 ? ownOf(i - 1) : [];
    const done = inOneStep([joined([part.dq], sizes), ...sum, ...next]);
    dq.unshift(done[0]!);
    sums = done.slice(1, 3);
    own = done.slice(3);
  }
  return { dq: concat(dq, 1), dk: sums[0]!, dv: sums[1]! };
}

/** The same where probabilities were held: parts of all blocks, then each key's sum, so that no sum is copied twice. */
function gradientsAtOnce(all: Gradients, held: readonly Tensor[]): Given {
  const { rows, sizes } = all;
  const own = {
    queries: blocksOf(all.queries, all),
    dy: blocksOf(all.dy, all),
    delta: blocksOf(all.delta, all),
  };
  const parts = rows.map((block, i) =>
    blockGradients(all, block, {
      weights: held[i]!,
      queries: own.queries[i]!,
      dy: own.dy[i]!,
      delta: own.delta[i]!,
    }),
  );
  const each = (what: keyof Given) => parts.map((part) => part[what]);
  return {
    dq: joined(each("dq"), sizes),
    dk: sumByKeys(each("dk"), rows),
    dv: sumByKeys(each("dv"), rows),
  };
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

/** A block's own rows, `stacked`. */
type Own = Readonly<Record<"weights" | "queries" | "dy" | "delta", Tensor>>;

/**
 * dq of a block's queries, `stacked`; dk and dv [1, stacks, parts, d, end - from] of the keys and values that it met: so
 * never a block of scores is turned.
 */
function blockGradients(all: Gradients, block: Rows, own: Own): Given {
  const met = metBy(block);
  const dScores = mul(own.weights, sub(matMulByTurned(own.dy, slice(all.values, 3, met)), own.delta));
  return {
    dq: matMul(dScores, slice(all.keys, 3, met)),
    dk: matMulTurned(own.queries, dScores),
    dv: matMulTurned(own.dy, own.weights),
  };
}

/**
 * What probabilities are computed of anew. Factors that cancel keep these nodes apart from the forward pass's, which
 * would otherwise be taken for the same and held.
 */
function recomputed({ queries, met, ...rest }: Forward): Scored & { readonly queries: Tensor } {
  return { ...rest, queries: mul(queries, scalar(2)), met: mul(met, scalar(0.5)) };
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
