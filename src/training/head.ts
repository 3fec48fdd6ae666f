// How targets go through the head: so many at a time that their logits stay small, whatever the vocabulary. The same for
// every kind of network.

import { createBuffer } from "../runtime/device.ts";
import type { Batch } from "./batch.ts";

/** Logits of one run of the head stay under this many values: 16 MB of f32. */
const HEAD_VALUES = 4 * 1024 * 1024;

/** Targets that one run of the head takes. */
export function headTargets(vocab_size: number): number {
  return Math.max(32, Math.min(512, 2 ** Math.floor(Math.log2(HEAD_VALUES / vocab_size))));
}

/** The targets of a batch, `size` at a time, as what the head is fed: rows, labels and weights, 1 where none are given. */
export function* headFeeds(batch: Batch, size: number, given?: readonly number[]) {
  for (let start = 0; start < batch.rows.length; start += size) {
    const count = Math.min(size, batch.rows.length - start);
    const rows = new BigInt64Array(size).fill(BigInt(batch.ids.length - 1));
    const labels = new BigInt64Array(size);
    const weights = new Float32Array(size);
    for (let i = 0; i < count; i++) {
      rows[i] = BigInt(batch.rows[start + i]!);
      labels[i] = BigInt(batch.labels[start + i]!);
      weights[i] = given?.[start + i] ?? 1;
    }
    const feeds = {
      target_rows: createBuffer("int64", [size], rows),
      labels: createBuffer("int64", [size, 1], labels),
      weights: createBuffer("float32", [size], weights),
    };
    yield { start, count, feeds };
  }
}
