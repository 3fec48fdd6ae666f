// Bits per byte, edit similarity against the plain dynamic programme, and the bootstrap over commits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { bitsPerByte, editDistance, editSimilarity, type Measured, meanWithBootstrap } from "./metrics.ts";

test("a uniform guess over 256 bytes costs 8 bits a byte", () => {
  assert.ok(Math.abs(bitsPerByte(100 * Math.log(256), 100) - 8) < 1e-12);
  assert.throws(() => bitsPerByte(1, 0), RangeError);
});

test("edit similarity of known pairs", () => {
  assert.equal(editSimilarity("", ""), 1);
  assert.equal(editSimilarity("", "abc"), 0);
  assert.equal(editSimilarity("same", "same"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
  assert.equal(editSimilarity("kitten", "sitting"), 1 - 3 / 7);
  assert.equal(editDistance("ab🎉", "ab🚀"), 2, "an emoji is two code units, and both differ");
});

test("edit distance equals the plain dynamic programme at every block boundary", () => {
  const random = createRandom(1);
  const draw = (length: number, letters: number) =>
    Array.from({ length }, () => String.fromCharCode(97 + random.below(letters))).join("");
  const lengths = [1, 2, 31, 32, 33, 63, 64, 65, 96, 130];
  for (const n of lengths) {
    for (const m of lengths) {
      for (const letters of [2, 20]) {
        // Different ends keep the whole pair in the loop: nothing is stripped as common.
        const [a, b] = [`X${draw(n - 1, letters)}`, `Y${draw(m - 1, letters)}Z`];
        assert.equal(editDistance(a, b), plainDistance(a, b), `${a} ${b}`);
      }
    }
  }
});

test("edit distance equals the plain dynamic programme on edited copies", () => {
  const random = createRandom(2);
  const source = Array.from({ length: 40 }, (_, i) => `line ${i} of a file\n`).join("");
  for (let round = 0; round < 30; round++) {
    const from = random.below(source.length);
    const edited =
      source.slice(0, from) + "x".repeat(random.below(9)) + source.slice(from + random.below(90));
    assert.equal(editDistance(source, edited), plainDistance(source, edited));
    assert.equal(editDistance(edited, source), plainDistance(source, edited));
  }
});

function plainDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

test("compares two unlike texts of 10 KB within a second", () => {
  const random = createRandom(3);
  const text = () => Array.from({ length: 10240 }, () => String.fromCharCode(32 + random.below(95))).join("");
  const [a, b] = [text(), text()];
  const start = performance.now();
  const similarity = editSimilarity(a, b);
  assert.ok(similarity > 0 && similarity < 0.5);
  assert.ok(performance.now() - start < 1000);
});

const options = { seed: 5, samples: 2000 };

/** `commits` commits with `files` values each; the values of one commit are equal. */
function grouped(commits: number, files: number): Measured[] {
  const random = createRandom(11);
  const means = Array.from({ length: commits }, () => random.normal());
  return means.flatMap((value, i) => Array.from({ length: files }, () => ({ commit: `c${i}`, value })));
}

test("the interval is that of theory: 1.96 standard errors of the commits", () => {
  const values = grouped(200, 1);
  const { mean, low, high, commits } = meanWithBootstrap(values, options);
  const average = values.reduce((sum, { value }) => sum + value, 0) / 200;
  const spread = Math.sqrt(values.reduce((sum, { value }) => sum + (value - average) ** 2, 0) / 200);
  assert.equal(commits, 200);
  assert.ok(Math.abs(mean - average) < 1e-12);
  assert.ok(Math.abs(low - (average - (1.96 * spread) / Math.sqrt(200))) < 0.015);
  assert.ok(Math.abs(high - (average + (1.96 * spread) / Math.sqrt(200))) < 0.015);
});

test("more files of the same commits do not make the interval narrower", () => {
  const one = meanWithBootstrap(grouped(50, 1), options);
  const ten = meanWithBootstrap(grouped(50, 10), options);
  assert.ok(Math.abs(ten.high - ten.low - (one.high - one.low)) < 1e-9);
});

test("the same seed gives the same interval, another seed another", () => {
  const values = grouped(50, 2);
  assert.deepEqual(meanWithBootstrap(values, options), meanWithBootstrap(values, options));
  assert.notEqual(
    meanWithBootstrap(values, { ...options, seed: 6 }).low,
    meanWithBootstrap(values, options).low,
  );
});

test("weights give the ratio of sums", () => {
  const values = [
    { commit: "a", value: 1, weight: 3 },
    { commit: "a", value: 2, weight: 1 },
    { commit: "b", value: 4, weight: 4 },
  ];
  const { mean, low, high } = meanWithBootstrap(values, options);
  assert.equal(mean, 21 / 8);
  assert.deepEqual([low, high], [5 / 4, 4], "both commits drawn twice in a quarter of the samples each");
});

test("one commit has an interval without width, none is refused", () => {
  const { mean, low, high } = meanWithBootstrap([{ commit: "a", value: 0.25 }], options);
  assert.deepEqual([mean, low, high], [0.25, 0.25, 0.25]);
  assert.throws(() => meanWithBootstrap([], options), RangeError);
  assert.throws(() => meanWithBootstrap([{ commit: "a", value: 1, weight: 0 }], options), RangeError);
});
