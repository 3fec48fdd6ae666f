// How rows of heads stand for attention's products: block below block of positions, and at each position the heads that
// share keys below one another, so that they meet these in one product. Copies are of whole rows of such heads.

import { concat, reduceSum, reshape, slice, split, transpose } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";

/** Of `heads` each `heads / kvHeads` share keys. */
export type Sizes = { readonly batch: number; readonly heads: number; readonly kvHeads: number };

/** Queries from `start` to `end`, which attend to keys between `from` and `end`. */
export type Rows = { readonly from: number; readonly start: number; readonly end: number };

export type Range = readonly [number, number];

export function rangeOf({ start, end }: Rows): Range {
  return [start, end];
}

export function metBy({ from, end }: Rows): Range {
  return [from, end];
}

/**
 * x [batch, length, heads·w] as [blocks, batch · kv heads, parts, rows, w]: position below position, and of each the heads
 * that share keys, which meet them in one product. An odd number of products is halved, so that two threads have as much
 * to do. More than one block is of one sequence.
 */
export function stacked(x: Tensor, { batch, heads, kvHeads }: Sizes, blocks: number): Tensor {
  const [, length, width] = x.shape as [number, number, number];
  const n = length / blocks;
  const each = reshape(x, [batch * blocks, n, kvHeads, width / kvHeads]);
  const { parts, rows } = partsOf({ batch, heads, kvHeads }, n);
  return reshape(transpose(each, [0, 2, 1, 3]), [blocks, batch * kvHeads, parts, rows, width / heads]);
}

export function partsOf({ batch, heads, kvHeads }: Sizes, n: number): { parts: number; rows: number } {
  const rows = (heads / kvHeads) * n;
  const parts = heads > kvHeads && (batch * kvHeads) % 2 === 1 && rows % 2 === 0 ? 2 : 1;
  return { parts, rows: rows / parts };
}

/** The contrary of `stacked` for blocks one after another: [batch, length, heads·w]. */
export function joined(blocks: readonly Tensor[], sizes: Sizes): Tensor {
  const { batch, heads, kvHeads } = sizes;
  const first = blocks[0]!;
  if (blocks.length > 1 && !(batch === 1 && areEqual(blocks.map(({ shape }) => shape[3]!)))) {
    return concat(
      blocks.map((block) => joined([block], sizes)),
      1,
    );
  }
  const [, , parts, rows, w] = first.shape as [number, number, number, number, number];
  const n = (parts * rows * kvHeads) / heads;
  const each = reshape(concat(blocks, 0), [batch * blocks.length, kvHeads, n, (heads / kvHeads) * w]);
  return reshape(transpose(each, [0, 2, 1, 3]), [batch, blocks.length * n, heads * w]);
}

export type Blocks = { readonly rows: readonly Rows[]; readonly sizes: Sizes };

/** Each block of x [batch, length, heads·w] as `stacked` has it; those of one sequence and size are put in order at once. */
export function blocksOf(x: Tensor, { rows, sizes }: Blocks): Tensor[] {
  const counts = rows.map(({ start, end }) => end - start);
  if (sizes.batch !== 1 || !areEqual(counts)) {
    return rows.map((block) => stacked(slice(x, 1, rangeOf(block)), sizes, 1));
  }
  return split(stacked(x, sizes, rows.length), Array<number>(rows.length).fill(1), 0);
}

function areEqual(counts: readonly number[]): boolean {
  return counts.every((count) => count === counts[0]);
}

/** Scores of all heads that stand at one position: [batch, kv heads, n, heads / kv heads, keys]. */
export function byPosition(scores: Tensor, { batch, heads, kvHeads }: Sizes): Tensor {
  const [, , parts, rows, keys] = scores.shape as [number, number, number, number, number];
  const group = heads / kvHeads;
  return reshape(scores, [batch, kvHeads, (parts * rows) / group, group, keys]);
}

/** Keys or values [batch, length, kv heads·d] as all parts meet them: [1, batch · kv heads, 1, length, d]. */
export function asRows(x: Tensor, { batch, kvHeads }: Sizes): Tensor {
  const [, length, width] = x.shape as [number, number, number];
  const each = transpose(reshape(x, [batch, length, kvHeads, width / kvHeads]), [0, 2, 1, 3]);
  return reshape(each, [1, batch * kvHeads, 1, length, width / kvHeads]);
}

/** Parts of a gradient [1, batch · kv heads, parts, d, length] as keys or values come: [batch, length, kv heads·d]. */
export function fromParts(parts: Tensor, { batch, kvHeads }: Sizes): Tensor {
  const [, , count, d, length] = parts.shape as [number, number, number, number, number];
  const sum = count === 1 ? parts : reduceSum(parts, [2]);
  const each = transpose(reshape(sum, [batch, kvHeads, d, length]), [0, 3, 1, 2]);
  return reshape(each, [batch, length, kvHeads * d]);
}
