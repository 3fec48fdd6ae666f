// Causal attention of long sequences in memory that is linear in their length, and its gradient: tiles of queries
// against all keys before them (FlashAttention, Dao et al., 2022, with ordinary operators). The query heads that share a
// key head stand below one another, so that every product has two axes and no key is copied. Knows no positions.

import { sizeOf } from "../base/dtype.ts";
import {
  add,
  apply,
  concat,
  matMul,
  mul,
  neg,
  reshape,
  slice,
  softmax,
  split,
  sub,
  transpose,
  withPullback,
} from "../graph/build.ts";
import { constant, int64s, type Tensor } from "../graph/tensor.ts";
import { centred, type Place, roundedScores, roundedSlopes } from "./rounded-scores.ts";
import { createTurns, type Turns } from "./turns.ts";

/** `heads` are those of keys and values, each with `group` heads of queries. */
export type LongShape = {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly group: number;
  readonly d: number;
  /** Steps of scores on eight-bit integers, but for those of tiles on the diagonal; f32 when not given. */
  readonly steps?: number;
};

type Sizes = LongShape & {
  /** Rows of queries of one head in a tile, how many tiles there are, and rows of all heads of a group. */
  readonly block: number;
  readonly blocks: number;
  readonly rows: number;
};

/** Rows of a tile: fewer make products slower, more compute more of what is hidden on the diagonal. */
const ROWS = 512;
/** The same of sequences so long that the diagonal is a small part. */
const MANY_ROWS = { from: 4096, rows: 1024 };

/** Whether this length is made of whole tiles. */
export function hasTiles({ length }: LongShape): boolean {
  return length % 64 === 0;
}

function sizesOf(shape: LongShape): Sizes {
  const most = shape.length >= MANY_ROWS.from ? MANY_ROWS.rows : ROWS;
  const fits = (block: number) => shape.length % block === 0 && block * shape.group <= most;
  const block = [256, 128].find(fits) ?? 64;
  return { ...shape, block, blocks: shape.length / block, rows: block * shape.group };
}

/**
 * softmax(qkᵀ)v of q [batch, length, heads·group·d], scaled, and k and v [batch, length, heads·d]:
 * [batch·length, heads·group·d].
 */
export function longAttention(
  { q, k, v }: Readonly<Record<"q" | "k" | "v", Tensor>>,
  shape: LongShape,
): Tensor {
  const sizes = sizesOf(shape);
  const { batch, length, heads, group, d, block, blocks, rows } = sizes;
  const queries = reshape(
    transpose(reshape(q, [batch, blocks, block, heads, group, d]), [0, 3, 1, 4, 2, 5]),
    [batch * heads, blocks, rows, d],
  );
  const byHead = (x: Tensor) =>
    reshape(transpose(reshape(x, [batch, length, heads, d]), [0, 2, 1, 3]), [batch * heads, length, d]);
  const keys = shape.steps === undefined ? byHead(k) : centred(byHead(k));
  const attended = { queries, keys, values: byHead(v), sizes };
  const parts = attend(attended);
  const rule = (dy: Tensor) => attentionGradients({ ...attended, ...parts }, dy);
  const mixed = withPullback(parts.mixed, { of: [queries, attended.keys, attended.values], rule });
  const apart = transpose(reshape(mixed, [batch, heads, blocks, group, block, d]), [0, 2, 4, 1, 3, 5]);
  return reshape(apart, [batch * length, heads * group * d]);
}

/** Queries [groups, blocks, rows, d]; keys and values [groups, length, d], of all sequences of the batch. */
type Attended = Readonly<Record<"queries" | "keys" | "values", Tensor>> & { readonly sizes: Sizes };

/** Attention, and the logarithm of each row's sum of exponentials [groups, blocks, rows, 1]. */
type Mixed = Readonly<Record<"mixed" | "sums", Tensor>>;

/** What one part of the keys gives: attention over it, the largest score and the largest probability of each row. */
type Partial = Readonly<Record<"mixed" | "score" | "weight", Tensor>>;

/** Attention over the tiles on the diagonal and over what lies before them, put together by their shares. */
function attend({ queries, keys, values, sizes }: Attended): Mixed {
  const { blocks, block, rows, d } = sizes;
  const each = { queries: parted(queries), keys: parted(keys), values: parted(values) };
  const inTurn = createTurns();
  const mask = diagonalMask(sizes, false);
  const near = each.queries.map((own, i) => {
    const [mine] = inTurn.next([own]);
    const [met, mix] = [each.keys[i]!, each.values[i]!].map((x) => reshape(x, [blocks, block, d]));
    const scores = add(matMul(mine!, transpose(met!, [0, 2, 1])), mask);
    return inTurn.done(partial(scores, mix!));
  });
  const scoresOf = farScores({ queries, keys, sizes });
  const far = placesOf(sizes).map((place) =>
    inTurn.done(partial(scoresOf(place, inTurn), slice(each.values[place.i]!, 0, place.met))),
  );
  const shape = (width: number) => [each.queries.length, blocks, rows, width];
  const all = (name: keyof Partial, { fill, width }: { fill: number; width: number }) => [
    reshape(
      concat(
        near.map((part) => part[name]),
        0,
      ),
      shape(width),
    ),
    reshape(
      inOrder(
        far.map((part) => part[name]),
        { sizes, first: filled([rows, width], fill) },
      ),
      shape(width),
    ),
  ];
  const [mixedNear, mixedFar] = all("mixed", { fill: 0, width: d }) as [Tensor, Tensor];
  const scores = all("score", { fill: LOWEST, width: 1 });
  const weights = all("weight", { fill: 1, width: 1 });
  const [one, other] = scores.map((x, i) => sub(x, apply("Log", [weights[i]!]))) as [Tensor, Tensor];
  const most = apply("Max", [one, other]);
  const total = add(apply("Exp", [sub(one, most)]), apply("Exp", [sub(other, most)]));
  const sums = add(most, apply("Log", [total]));
  const share = (x: Tensor) => apply("Exp", [sub(x, sums)]);
  // Marked as dear (training/kept.ts): an operator that does nothing and has no gradient of its own.
  return { mixed: apply("Identity", [add(mul(mixedNear, share(one)), mul(mixedFar, share(other)))]), sums };
}

/** Scores of a tile before the diagonal, which wait for their turn. */
function farScores({ queries, keys, sizes }: Omit<Attended, "values">) {
  if (sizes.steps !== undefined) return roundedScores({ queries, keys }, sizes.steps);
  const [asked, met] = [parted(queries).map(parted), parted(keys)];
  return ({ i, at, met: range }: Place, inTurn: Turns): Tensor => {
    const [own] = inTurn.next([asked[i]![at]!]);
    return apply("Gemm", [own!, slice(met[i]!, 0, range)], { transB: 1 });
  };
}

function partial(scores: Tensor, values: Tensor): Partial {
  const axis = int64s([scores.shape.length - 1]);
  const weights = softmax(scores);
  const most = (x: Tensor) => apply("ReduceMax", [x, axis], { keepdims: 1 });
  return { mixed: matMul(weights, values), score: most(scores), weight: most(weights) };
}

/**
 * dS = P∘(dP - rowsum(dO∘O)), turned as a whole: keys are rows. P = exp(S - sums) and dP - rowsum come straight out of
 * products, to whose operands a column is added.
 */
function attentionGradients({ queries, keys, values, sizes, mixed, sums }: Attended & Mixed, dy: Tensor) {
  const { blocks, block, rows, d, length } = sizes;
  const groups = queries.shape[0]!;
  const delta = apply("ReduceSum", [mul(dy, mixed), int64s([3])], { keepdims: 1 });
  const ones = filled([groups, length, 1], 1);
  const each = {
    ...{ queries: parted(queries), dy: parted(dy), keys: parted(keys) },
    queriesAnd: parted(concat([queries, neg(sums)], 3)),
    dyAnd: parted(concat([dy, neg(delta)], 3)),
    keysAnd: parted(concat([keys, ones], 2)),
    valuesAnd: parted(concat([values, ones], 2)),
    keysT: parted(transpose(keys, [0, 2, 1])),
  };
  const inTurn = createTurns();
  const near = nearGradients(each, sizes, inTurn);
  const slopesOf = farSlopes({ queries, keys, values, dy, sums, delta, sizes }, each);
  const far = farGradients(each, { sizes, slopesOf }, inTurn);
  const whole = (name: keyof Slopes, missing: { first?: Tensor; last?: Tensor }) => {
    const [diagonal, before] = [near, far].map((parts) => parts.map((part) => part[name]));
    const sum = concat(diagonal!, 0);
    return add(sum, reshape(inOrder(before!, { sizes, ...missing }), sum.shape));
  };
  const dq = reshape(whole("dq", { first: filled([d, rows], 0) }), [groups, blocks, d, rows]);
  const ofKeys = (name: "dk" | "dv") =>
    reshape(whole(name, { last: filled([block, d], 0) }), [groups, length, d]);
  return [transpose(dq, [0, 1, 3, 2]), ofKeys("dk"), ofKeys("dv")] as const;
}

/** What products take, group by group: those of two names with a column more. */
type Operands = Readonly<
  Record<"queries" | "dy" | "keys" | "queriesAnd" | "dyAnd" | "keysAnd" | "valuesAnd" | "keysT", Tensor[]>
>;

/** dQ is turned. */
type Slopes = Readonly<Record<"dq" | "dk" | "dv", Tensor>>;

/** Of the tiles on the diagonal, all of a group at once. */
function nearGradients(each: Operands, sizes: Sizes, inTurn: Turns): Slopes[] {
  const { blocks, block, d } = sizes;
  const mask = diagonalMask(sizes, true);
  const turned = (x: Tensor) => transpose(x, [0, 2, 1]);
  return each.queries.map((own, i) => {
    const [asked, given] = inTurn.next([each.queriesAnd[i]!, each.dyAnd[i]!]) as [Tensor, Tensor];
    const [met, mix] = [each.keysAnd[i]!, each.valuesAnd[i]!].map((x) => reshape(x, [blocks, block, d + 1]));
    const weights = apply("Exp", [add(matMul(met!, turned(asked)), mask)]);
    const scores = mul(weights, matMul(mix!, turned(given)));
    const dq = matMul(turned(reshape(each.keys[i]!, [blocks, block, d])), scores);
    return inTurn.done({ dq, dk: matMul(scores, own), dv: matMul(weights, each.dy[i]!) });
  });
}

type SlopesOf = (place: Place, inTurn: Turns) => readonly [Tensor, Tensor];

/** S - sums and dP - delta of a tile before the diagonal, turned, which wait for their turn. */
function farSlopes(
  known: Attended & Readonly<Record<"dy" | "sums" | "delta", Tensor>>,
  each: Operands,
): SlopesOf {
  if (known.sizes.steps !== undefined) return roundedSlopes(known, known.sizes.steps);
  const [queriesAnd, dyAnd] = [each.queriesAnd, each.dyAnd].map((x) => x.map(parted));
  return ({ i, at, met }, inTurn) => {
    const [asked, given] = inTurn.next([queriesAnd![i]![at]!, dyAnd![i]![at]!]) as [Tensor, Tensor];
    const product = (x: Tensor, y: Tensor) => apply("Gemm", [slice(x, 0, met), y], { transB: 1 });
    return [product(each.keysAnd[i]!, asked), product(each.valuesAnd[i]!, given)];
  };
}

type Far = { readonly sizes: Sizes; readonly slopesOf: SlopesOf };

/** Of the tiles before it: dQ of each, and dK and dV of the last keys that it met, whose sums are whole with it. */
function farGradients(each: Operands, { sizes, slopesOf }: Far, inTurn: Turns): Slopes[] {
  const { block } = sizes;
  const [queries, dy] = [each.queries, each.dy].map((x) => x.map(parted));
  const sums = new Map<number, Omit<Slopes, "dq">>();
  return placesOf(sizes).map((place) => {
    const { i, at, met } = place;
    const [scored, slope] = slopesOf(place, inTurn);
    const weights = apply("Exp", [scored]);
    const scores = mul(weights, slope);
    const { dq, ...sum } = inTurn.done({
      dq: matMul(slice(each.keysT[i]!, 1, met), scores),
      dk: plus(scores, queries![i]![at]!, sums.get(i)?.dk),
      dv: plus(weights, dy![i]![at]!, sums.get(i)?.dv),
    });
    if (at === 1) return { dq, ...sum };
    const [dk, dv] = [sum.dk, sum.dv].map((x) => split(x, [met[1] - block, block], 0));
    sums.set(i, { dk: dk![0]!, dv: dv![0]! });
    return { dq, dk: dk![1]!, dv: dv![1]! };
  });
}

function plus(a: Tensor, b: Tensor, sum?: Tensor): Tensor {
  return sum ? apply("Gemm", [a, b, sum]) : matMul(a, b);
}

/** All tiles but the first of each group, which meets none: the longest come first, so that memory once had is enough. */
function placesOf({ batch, heads, blocks, block }: Sizes): Place[] {
  const groups = Array.from({ length: batch * heads }, (_, i) => i);
  return Array.from({ length: blocks - 1 }, (_, k) => blocks - 1 - k).flatMap((at) =>
    groups.map((i) => ({ i, at, met: [0, at * block] as const })),
  );
}

/** What was made of those tiles, group by group and in the order of their blocks, with what stands for a missing one. */
function inOrder(
  made: readonly Tensor[],
  { sizes, first, last }: { readonly sizes: Sizes; readonly first?: Tensor; readonly last?: Tensor },
): Tensor {
  const groups = sizes.batch * sizes.heads;
  const ordered = Array.from({ length: groups }, (_, i) => {
    const own = made.filter((_, k) => k % groups === i).reverse();
    return [...(first ? [first] : []), ...own, ...(last ? [last] : [])];
  });
  return concat(ordered.flat(), 0);
}

const LOWEST = -1e30;

/** What is added to scores [rows, block] or, turned, [block, rows], to hide later keys of the same block. */
function diagonalMask({ block, rows }: Sizes, turned: boolean): Tensor {
  const [height, width] = turned ? [block, rows] : [rows, block];
  const values = new Float32Array(rows * block);
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [Math.floor(i / width), i % width];
    const [query, key] = turned ? [column, row] : [row, column];
    if (key > query % block) values[i] = LOWEST;
  }
  return constant("float32", [height, width], values);
}

/** The parts of x along its first axis, without it. */
function parted(x: Tensor): Tensor[] {
  const [count, ...rest] = x.shape as [number, ...number[]];
  return split(x, Array(count).fill(1), 0).map((part) => reshape(part, rest));
}

function filled(shape: readonly number[], value: number): Tensor {
  return constant("float32", shape, new Float32Array(sizeOf(shape)).fill(value));
}
