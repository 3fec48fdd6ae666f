// Which rows of a batch its targets need: of the last block no others are computed.

import { type Buffers, createBuffer } from "../runtime/device.ts";
import type { Batch } from "./batch.ts";

/** Sizes to which the rows are filled up, for each of which a block is compiled. */
const SIZES = [64, 128, 256];

/** Rows times length: scores of all rows are held at once. */
const MOST = 2 ** 16;

/**
 * The targets' rows in their order, filled up with others to one of few sizes; `null` where a block for all rows is as
 * good. No row comes twice: what flows back to them is added without a lock.
 */
export function wantedRows({ extent, rows }: Batch): BigInt64Array | null {
  const { length } = extent;
  const size = wantedCount(extent, rows.length);
  if (size === null) return null;
  const taken = new Set(rows);
  if (taken.size !== rows.length) return null;
  const others = Array.from({ length }, (_, row) => row).filter((row) => !taken.has(row));
  return BigInt64Array.from([...rows, ...others.slice(0, size - rows.length)], BigInt);
}

/** All numbers of rows for which the last block of such a batch may be compiled. */
export function wantedCounts(extent: Batch["extent"]): readonly number[] {
  return SIZES.filter((size) => wantedCount(extent, size) === size);
}

/** How many rows the last block computes for so many targets; `null` stands for all. */
export function wantedCount({ batch, length }: Batch["extent"], targets: number): number | null {
  const size = SIZES.find((most) => targets <= most);
  return batch !== 1 || size === undefined || 2 * size > length || size * length > MOST ? null : size;
}

type Wanted = { readonly batch: Batch; readonly wanted: BigInt64Array | null };

/** The batch as the head sees it, to which only the wanted rows are given. */
export function asWanted({ batch, wanted }: Wanted): Batch {
  return wanted ? { ...batch, rows: batch.rows.map((_, i) => i) } : batch;
}

/** What a block's program for these rows is made for and fed; nothing where it is for all. */
export function wantedSize(rows: Wanted["wanted"]): { readonly wanted?: number } {
  return rows ? { wanted: rows.length } : {};
}

export function wantedFeeds(rows: Wanted["wanted"]): Buffers {
  return rows ? { wanted: createBuffer("int64", [rows.length], rows) } : {};
}
