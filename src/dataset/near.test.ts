// Near-duplicates, against the similarity counted exactly.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { createNearIndex, signatureOf } from "./near.ts";

const random = createRandom(11);
const word = () => Array.from({ length: 6 }, () => String.fromCharCode(97 + random.below(26))).join("");

function diffOf(words: readonly string[]): string {
  return `diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n${words.map((text) => `+${text}\n`).join("")}`;
}

/** The share of runs of five words that two texts have in common. */
function similarity(a: readonly string[], b: readonly string[]): number {
  const runs = (words: readonly string[]) =>
    new Set(words.slice(4).map((_, at) => words.slice(at, at + 5).join(" ")));
  const [first, second] = [runs(a), runs(b)];
  const shared = [...first].filter((run) => second.has(run)).length;
  return shared / (first.size + second.size - shared);
}

test("the share of equal bytes is the share of common runs", () => {
  for (const length of [12, 40, 300]) {
    const errors: number[] = [];
    for (let round = 0; round < 60; round++) {
      const a = Array.from({ length }, word);
      const b = a.map((text) => (random.uniform() < 0.05 ? word() : text));
      const [x, y] = [signatureOf(diffOf(a))!, signatureOf(diffOf(b))!];
      const equal = x.filter((byte, at) => byte === y[at]).length / x.length;
      errors.push((equal - 1 / 256) / (1 - 1 / 256) - similarity(a, b));
    }
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    const spread = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
    assert.ok(Math.abs(mean) < 0.03, `${length}: mean error ${mean}`);
    assert.ok(spread < 0.09, `${length}: spread ${spread}`);
  }
});

test("the index finds what is near on an older side among thousands, and little else", () => {
  const index = createNearIndex();
  const texts = Array.from({ length: 5000 }, () => Array.from({ length: 40 }, word));
  for (const text of texts) index.add(signatureOf(diffOf(text))!, 0);
  let [found, strange] = [0, 0];
  for (const text of texts.slice(0, 400)) {
    const near = signatureOf(diffOf([...text.slice(2), word()]))!;
    if (index.hasEarlier(near, 1)) found++;
    assert.equal(index.hasEarlier(near, 0), false);
    if (index.hasEarlier(signatureOf(diffOf([...text.slice(20), ...Array.from({ length: 20 }, word)]))!, 1))
      strange++;
  }
  assert.ok(found >= 390, `${found} of 400 that share nine tenths`);
  assert.ok(strange <= 2, `${strange} of 400 that share less than half`);
});

test("case, order of columns and signs: only words and their order count", () => {
  assert.deepEqual(signatureOf(diffOf(["a b", "C d;", "e"])), signatureOf(diffOf(["A, b(c) D e"])));
  assert.equal(signatureOf(diffOf(["a b c d"])), undefined);
  const removed = diffOf(["a b c d e f"]).replace("\n+a", "\n-a");
  assert.notDeepEqual(signatureOf(removed), signatureOf(diffOf(["a b c d e f"])));
});
