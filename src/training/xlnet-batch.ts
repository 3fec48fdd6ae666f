// Sequences for a network of two streams: padded on the left, as XLNet's tokenizer pads, so that answers end together and
// the query rows are those of a batch's last places. What each row may see is in masks.

import { type Batch, bucketOf, type Sequence, targetCount } from "./batch.ts";

/** Sequences of one run, the length they are padded to, and for how many of its last places there are query rows. */
export type StreamsExtent = { readonly batch: number; readonly length: number; readonly answer: number };

/** A batch whose `ids` [batch · length] are content; `rows` count the query rows after as many content rows. */
export type StreamsBatch = Batch & {
  readonly streams: StreamsExtent;
  /** Of each sequence the place of its first id, and that of its answer's first. */
  readonly places: readonly Places[];
};

type Places = { readonly start: number; readonly border: number };

/** Sequences packed into batches of at most `rows`, near lengths together; owners index `sequences`. */
export function packStreams(sequences: readonly Sequence[], rows: number): StreamsBatch[] {
  const lengths = sequences.map((sequence) => bucketOf(sequence.ids.length));
  const answers = sequences.map((sequence) => bucketOf(targetCount(sequence)));
  const order = [...sequences.keys()].sort(
    (a, b) => lengths[a]! - lengths[b]! || answers[a]! - answers[b]! || a - b,
  );
  const batches: StreamsBatch[] = [];
  for (let at = 0; at < order.length; at += rows) {
    const members = order.slice(at, at + rows);
    const streams = {
      batch: rows,
      length: Math.max(...members.map((i) => lengths[i]!)),
      answer: Math.max(...members.map((i) => answers[i]!)),
    };
    batches.push(packOne(sequences, members, streams));
  }
  return batches;
}

function packOne(
  sequences: readonly Sequence[],
  members: readonly number[],
  streams: StreamsExtent,
): StreamsBatch {
  const { batch, length, answer } = streams;
  const ids = new BigInt64Array(batch * length);
  const [rows, labels, weights, owners]: number[][] = [[], [], [], []];
  const places = members.map((owner, row) => {
    const sequence = sequences[owner]!;
    const start = length - sequence.ids.length;
    const border = length - targetCount(sequence);
    sequence.ids.forEach((id, i) => {
      const place = start + i;
      ids[row * length + place] = BigInt(id);
      if (place < border) return;
      rows!.push(batch * length + row * answer + place - (length - answer));
      labels!.push(id);
      weights!.push(sequence.weight ?? 1);
      owners!.push(owner);
    });
    return { start, border };
  });
  const targets = { rows: rows!, labels: labels!, weights: weights!, owners: owners! };
  return { extent: { batch, length }, size: length + answer, streams, places, ids, ...targets };
}

/** Numbers of both streams' masks, 0 or enough to hide a key: [batch, length, length] and [batch, answer, length]. */
export function streamMasks({ streams: { batch, length, answer }, places }: StreamsBatch) {
  const content = new Float32Array(batch * length * length);
  const query = new Float32Array(batch * answer * length);
  for (let row = 0; row < batch; row++) {
    // A row of the batch that is nobody's sees nothing.
    const { start, border } = places[row] ?? { start: length, border: length };
    const hidden = (key: number, seen: boolean) => (key >= start && (key < border || seen) ? 0 : -1e30);
    for (let place = 0; place < length; place++) {
      const of = (row * length + place) * length;
      for (let key = 0; key < length; key++) {
        content[of + key] = key === place ? 0 : hidden(key, key < place);
      }
      if (place < length - answer) continue;
      const asking = (row * answer + place - (length - answer)) * length;
      for (let key = 0; key < length; key++) query[asking + key] = hidden(key, key < place);
    }
  }
  return { content, query };
}
