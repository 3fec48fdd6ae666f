// Sequences of ids and how several become one batch of a fixed shape. Padding goes to the right: attention is
// causal, so real positions never see it, and it has no targets.

import type { Extent } from "../models/attention.ts";

/** Ids of one example; ids from `promptLength` on are what the model is to answer. */
export type Sequence = {
  readonly ids: Int32Array;
  readonly promptLength: number;
  /** What its targets count for; 1 when not given. */
  readonly weight?: number;
};

/** One program run: ids [batch · length], and for each target its row (the position before it), label and sequence. */
export type Batch = {
  readonly extent: Extent;
  /** Ids of one of its sequences, padding included: what time grows with. */
  readonly size: number;
  readonly ids: BigInt64Array;
  readonly rows: readonly number[];
  readonly labels: readonly number[];
  /** What each target counts for: the weight of its sequence. */
  readonly weights: readonly number[];
  /** Index into the sequences given, for each target. */
  readonly owners: readonly number[];
  /** Where several share a row: each id's position in its own sequence, and the place in the row of that one's first. */
  readonly segments?: { readonly positions: BigInt64Array; readonly starts: Float32Array };
};

/** Lengths that programs are compiled for; finer where sequences are short and many. */
const LENGTHS = [
  32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048,
];

/** The smallest program length that holds `length` ids. */
export function bucketOf(length: number): number {
  return LENGTHS.find((bucket) => bucket >= length) ?? Math.ceil(length / 512) * 512;
}

/** Number of ids that are trained on: nothing stands before the first, so that one never is. */
export function targetCount({ ids, promptLength }: Sequence): number {
  return Math.max(0, ids.length - Math.max(1, promptLength));
}

/** Sum of weight x targets: what a loss over these sequences is divided by. */
export function targetWeight(sequences: readonly Sequence[]): number {
  return sequences.reduce((n, sequence) => n + targetCount(sequence) * (sequence.weight ?? 1), 0);
}

/** Sequences packed into batches of at most `rows` sequences each, near lengths together; owners index `sequences`. */
export function packBatches(sequences: readonly Sequence[], rows: number): Batch[] {
  const order = sequences
    .map((_, i) => i)
    .sort((a, b) => sequences[a]!.ids.length - sequences[b]!.ids.length || a - b);
  const batches: Batch[] = [];
  for (let at = 0; at < order.length; at += rows) {
    batches.push(packBatch(sequences, order.slice(at, at + rows), rows));
  }
  return batches;
}

function packBatch(sequences: readonly Sequence[], members: readonly number[], rows: number): Batch {
  const length = bucketOf(Math.max(...members.map((i) => sequences[i]!.ids.length)));
  const extent = { batch: rows, length };
  const ids = new BigInt64Array(rows * length);
  const batch = {
    extent,
    size: length,
    ids,
    rows: [] as number[],
    labels: [] as number[],
    weights: [] as number[],
  };
  const owners: number[] = [];
  members.forEach((owner, row) => {
    const sequence = sequences[owner]!;
    sequence.ids.forEach((id, position) => {
      ids[row * length + position] = BigInt(id);
      if (position < Math.max(1, sequence.promptLength)) return;
      batch.rows.push(row * length + position - 1);
      batch.labels.push(id);
      batch.weights.push(sequence.weight ?? 1);
      owners.push(owner);
    });
  });
  return { ...batch, owners };
}
