// Sequences as pairs: the encoder reads what stands before the answer, the decoder is given the answer one place later
// and is to say the answer. Both sides are padded to the right, each to a length that programs are compiled for.

import { type Batch, bucketOf, type Sequence } from "./batch.ts";

/** Sequences of one run, and the padded lengths of both sides. */
export type PairExtent = { readonly batch: number; readonly source: number; readonly answer: number };

/** A batch whose `ids` [batch · answer] are what the decoder is given. */
export type PairBatch = Batch & {
  readonly pairs: PairExtent;
  /** What the encoder reads: ids [batch · source], of which so many are real. */
  readonly source: { readonly ids: BigInt64Array; readonly lengths: readonly number[] };
};

function sourceLength({ ids, promptLength }: Sequence): number {
  return Math.min(Math.max(1, promptLength), ids.length);
}

/** The answer one place later: the start, and all of it but its last id. */
function givenLength(sequence: Sequence): number {
  return Math.max(1, sequence.ids.length - sourceLength(sequence));
}

/** Sequences packed into batches of at most `rows`, near lengths together; owners index `sequences`. */
export function packPairs(sequences: readonly Sequence[], rows: number, start: number): PairBatch[] {
  const by = (length: (sequence: Sequence) => number, a: number, b: number) =>
    bucketOf(length(sequences[a]!)) - bucketOf(length(sequences[b]!));
  const order = sequences
    .map((_, i) => i)
    .sort((a, b) => by(sourceLength, a, b) || by(givenLength, a, b) || a - b);
  const batches: PairBatch[] = [];
  for (let at = 0; at < order.length; at += rows) {
    batches.push(packPair(sequences, order.slice(at, at + rows), { rows, start }));
  }
  return batches;
}

function packPair(
  sequences: readonly Sequence[],
  members: readonly number[],
  { rows, start }: { rows: number; start: number },
): PairBatch {
  const longest = (length: (sequence: Sequence) => number) =>
    Math.max(...members.map((i) => length(sequences[i]!)));
  const pairs = {
    batch: rows,
    source: bucketOf(longest(sourceLength)),
    answer: bucketOf(longest(givenLength)),
  };
  const source = { ids: new BigInt64Array(rows * pairs.source), lengths: [] as number[] };
  const ids = new BigInt64Array(rows * pairs.answer);
  const targets = {
    rows: [] as number[],
    labels: [] as number[],
    weights: [] as number[],
    owners: [] as number[],
  };
  members.forEach((owner, row) => {
    const sequence = sequences[owner]!;
    const border = sourceLength(sequence);
    for (let i = 0; i < border; i++) source.ids[row * pairs.source + i] = BigInt(sequence.ids[i]!);
    source.lengths.push(border);
    const first = row * pairs.answer;
    ids[first] = BigInt(start);
    sequence.ids.subarray(border).forEach((id, i) => {
      // The last id is only said, never given.
      if (border + i + 1 < sequence.ids.length) ids[first + i + 1] = BigInt(id);
      targets.rows.push(first + i);
      targets.labels.push(id);
      targets.weights.push(sequence.weight ?? 1);
      targets.owners.push(owner);
    });
  });
  const extent = { batch: rows, length: pairs.answer };
  return { extent, size: pairs.source + pairs.answer, pairs, source, ids, ...targets };
}
