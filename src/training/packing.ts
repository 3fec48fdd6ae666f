// Several short sequences in one row, each on its own: attention stays within a sequence, positions count from its first
// id, so that loss and gradient are those of sequences run one by one. A greedy first fit from the longest down, as in
// trl's `packing_strategy="bfd"` (trl:trl/data_utils.py), within what one optimizer step sees.

import { type Buffers, createBuffer } from "../runtime/device.ts";
import type { Batch, Sequence } from "./batch.ts";

export type Packing = {
  /** Ids of a row at most, unless a sequence is longer. */
  readonly length: number;
  /** Ids of the longest sequence of the run: further back no query reaches. */
  readonly longest: number;
};

/** Rows have a multiple of so many ids: the finer, the better they are filled and the more shapes are compiled. */
const STEP = 64;

/** Reaches are whole blocks of attention. */
const BLOCK = 128;

/** What a row costs beside its ids, in ids: a program of hundreds of nodes is run for it. */
const ROW = 48;

/** Rows of one length, each with as many of the sequences as fit; owners index `sequences`. */
export function packTogether(sequences: readonly Sequence[], { length, longest }: Packing): Batch[] {
  const sizes = sequences.map(({ ids }) => ids.length);
  const most = upTo(Math.max(length, ...sizes), STEP);
  const least = upTo(Math.max(...sizes), STEP);
  const choices = Array.from({ length: (most - least) / STEP + 1 }, (_, i) => fill(sizes, least + i * STEP));
  const cost = ({ rows, size }: Filled) => rows.length * (size + ROW);
  const best = choices.reduce((a, b) => (cost(b) < cost(a) ? b : a));
  const reach = Math.min(best.size, upTo(Math.max(longest, ...sizes) - 1, BLOCK));
  const extent = { batch: 1, length: best.size, reach };
  return best.rows.map((members) => packRow(sequences, members, extent));
}

/** The next multiple of `step`. */
function upTo(length: number, step: number): number {
  return Math.max(1, Math.ceil(length / step)) * step;
}

type Filled = { readonly size: number; readonly rows: readonly (readonly number[])[] };

/** Indices by row, the longest first and each where it fits first. */
function fill(sizes: readonly number[], size: number): Filled {
  const order = [...sizes.keys()].sort((a, b) => sizes[b]! - sizes[a]! || a - b);
  const rows: { members: number[]; room: number }[] = [];
  for (const index of order) {
    const found = rows.find(({ room }) => room >= sizes[index]!);
    const row = found ?? { members: [], room: size };
    if (!found) rows.push(row);
    row.members.push(index);
    row.room -= sizes[index]!;
  }
  return { size, rows: rows.map(({ members }) => members) };
}

type RowExtent = { readonly batch: number; readonly length: number; readonly reach: number };

function packRow(sequences: readonly Sequence[], members: readonly number[], extent: RowExtent): Batch {
  const { length } = extent;
  const ids = new BigInt64Array(length);
  const positions = new BigInt64Array(length);
  const starts = new Float32Array(length);
  const targets = { rows: [] as number[], labels: [] as number[], weights: [] as number[] };
  const owners: number[] = [];
  let start = 0;
  for (const owner of members) {
    const { ids: own, promptLength, weight = 1 } = sequences[owner]!;
    own.forEach((id, position) => {
      ids[start + position] = BigInt(id);
      positions[start + position] = BigInt(position);
      starts[start + position] = start;
      if (position < Math.max(1, promptLength)) return;
      targets.rows.push(start + position - 1);
      targets.labels.push(id);
      targets.weights.push(weight);
      owners.push(owner);
    });
    start += own.length;
  }
  // Padding is in sequences of its own that reach no further than others.
  for (let at = start; at < length; at++) {
    const piece = start + Math.floor((at - start) / STEP) * STEP;
    positions[at] = BigInt(at - piece);
    starts[at] = piece;
  }
  return { extent, size: length, ids, ...targets, owners, segments: { positions, starts } };
}

/** What programs take of a batch beside its hidden states. */
export function segmentFeeds({ extent, segments }: Batch): Buffers {
  if (!segments) return {};
  const shape = [extent.batch, extent.length];
  return {
    positions: createBuffer("int64", shape, segments.positions),
    starts: createBuffer("float32", shape, segments.starts),
  };
}

/**
 * How to pack a run's sequences: where `wish` says nothing, they share rows if three of usual length fit into one. `null`
 * is not at all.
 */
export function choosePacking(
  sequences: readonly Sequence[],
  max_length: number,
  wish: boolean | null,
): Packing | null {
  const ids = sequences.reduce((sum, { ids }) => sum + ids.length, 0);
  const isWorth = SHARING * ids <= max_length * sequences.length;
  if (!(wish ?? isWorth) || sequences.length === 0) return null;
  const longest = sequences.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  return { length: max_length, longest };
}

const SHARING = 3;
