// Packing for two streams: what stands where, and which rows see which places.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Sequence } from "./batch.ts";
import { packStreams, streamMasks } from "./xlnet-batch.ts";

function sequence(prompt: number, answer: number, first: number): Sequence {
  return { ids: Int32Array.from({ length: prompt + answer }, (_, i) => first + i), promptLength: prompt };
}

test("sequences end together, and each target is a query row at its own place", () => {
  const sequences = [sequence(3, 2, 10), sequence(40, 20, 100), { ...sequence(0, 4, 50), weight: 0.5 }];
  const batches = packStreams(sequences, 2);
  assert.deepEqual(
    batches.map(({ streams, owners }) => [streams, [...new Set(owners)]]),
    [
      [{ batch: 2, length: 32, answer: 32 }, [0, 2]],
      [{ batch: 2, length: 64, answer: 32 }, [1]],
    ],
  );
  const [short, long] = batches as [(typeof batches)[0], (typeof batches)[0]];
  assert.deepEqual([...short.ids.subarray(27, 32)].map(Number), [10, 11, 12, 13, 14]);
  assert.deepEqual(short.places, [
    { start: 27, border: 30 },
    // Nothing stands before the first id, so that one never is a target.
    { start: 28, border: 29 },
  ]);
  assert.deepEqual(short.rows, [64 + 30, 64 + 31, 64 + 32 + 29, 64 + 32 + 30, 64 + 32 + 31]);
  assert.deepEqual(short.labels, [13, 14, 51, 52, 53]);
  assert.deepEqual(short.weights, [1, 1, 0.5, 0.5, 0.5]);
  assert.equal(long.rows[0], 2 * 64 + 12, "the first of the last 20 places, of 32 with query rows");
  assert.equal(long.rows.length, 20);
});

test("a prompt's places see each other, an answer's what is before them, queries not their own", () => {
  const [batch] = packStreams([sequence(3, 4, 10)], 2);
  const { content, query } = streamMasks(batch!);
  const length = 32;
  const [start, border] = [25, 28];
  for (let place = 0; place < length; place++) {
    for (let key = 0; key < length; key++) {
      const known = key >= start && key < border;
      const before = key >= border && key < place;
      assert.equal(content[place * length + key] === 0, known || before || key === place, `${place} ${key}`);
      assert.equal(query[place * length + key] === 0, known || before, `query ${place} ${key}`);
      const nobody = length * length;
      assert.equal(content[nobody + place * length + key] === 0, key === place, "nobody's row sees itself");
      assert.notEqual(query[nobody + place * length + key], 0);
    }
  }
});
