// How sequences become batches: nothing is lost, nothing is trained that is not a target.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { bucketOf, packBatches, type Sequence, targetCount } from "./batch.ts";

function sequence(length: number, promptLength: number, start = 1): Sequence {
  return { ids: Int32Array.from({ length }, (_, i) => start + i), promptLength };
}

test("lengths go up to the next bucket, and never down", () => {
  assert.deepEqual(
    [1, 32, 33, 1024, 1025, 2048, 2049, 3000].map(bucketOf),
    [32, 32, 64, 1024, 1280, 2048, 2560, 3072],
  );
  for (let length = 1; length < 3000; length += 7) assert.ok(bucketOf(length) >= length);
});

test("one sequence: each target with the row before it, the rest filled with 0", () => {
  const [batch, ...rest] = packBatches([sequence(5, 3)], 1);
  assert.equal(rest.length, 0);
  assert.deepEqual(batch!.extent, { batch: 1, length: 32 });
  assert.deepEqual([...batch!.ids.slice(0, 6)], [1n, 2n, 3n, 4n, 5n, 0n]);
  assert.deepEqual(batch!.rows, [2, 3]);
  assert.deepEqual(batch!.labels, [4, 5]);
  assert.deepEqual(batch!.owners, [0, 0]);
});

test("the first id is no target: nothing stands before it", () => {
  const [batch] = packBatches([sequence(3, 0)], 1);
  assert.deepEqual(batch!.labels, [2, 3]);
});

test("sequences of near lengths share a batch; a last batch keeps its shape", () => {
  const batches = packBatches([sequence(70, 60), sequence(9, 8, 100), sequence(40, 39, 200)], 2);
  assert.deepEqual(
    batches.map(({ extent, owners }) => [extent.length, extent.batch, [...new Set(owners)]]),
    [
      [64, 2, [1, 2]],
      [96, 2, [0]],
    ],
  );
  assert.deepEqual(batches[0]!.rows, [7, 64 + 38]);
  assert.deepEqual(batches[0]!.labels, [108, 239]);
});

test("of many sequences every target is there once, behind the id that comes before it", () => {
  const random = createRandom(5);
  const sequences = Array.from({ length: 37 }, (_, i) => {
    const length = 2 + random.below(200);
    return sequence(length, 1 + random.below(length - 1), 1000 * (i + 1));
  });
  for (const rows of [1, 4, 64]) {
    const found = sequences.map(() => [] as number[]);
    for (const { ids, rows: at, labels, owners } of packBatches(sequences, rows)) {
      at.forEach((row, i) => {
        assert.equal(ids[row], BigInt(labels[i]! - 1));
        assert.equal(ids[row + 1], BigInt(labels[i]!));
        found[owners[i]!]!.push(labels[i]!);
      });
    }
    sequences.forEach(({ ids, promptLength }, i) => {
      assert.deepEqual(found[i], [...ids.slice(promptLength)]);
      assert.equal(targetCount(sequences[i]!), found[i]!.length);
    });
  }
});
