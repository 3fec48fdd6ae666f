// Numbers about answers: bits per byte, edit similarity, and a mean with an interval that respects commits.
// Pure functions; they know neither models nor files. Edit distance: Myers' bit vectors (1999) in Hyyrö's blocks (2003).

import { createRandom } from "../base/random.ts";

/** Bits that a model needs for each byte of text, from the summed -ln p of the text and its length in UTF-8 bytes. */
export function bitsPerByte(nllNats: number, bytes: number): number {
  if (bytes <= 0) throw new RangeError(`bits per byte of ${bytes} bytes`);
  return nllNats / Math.LN2 / bytes;
}

/** 1 - Levenshtein distance / longer length, over UTF-16 code units; two empty texts are alike (1). */
export function editSimilarity(a: string, b: string): number {
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 1 : 1 - editDistance(a, b) / longer;
}

/** The fewest insertions, deletions and replacements of UTF-16 code units that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  const prefix = commonPrefix(a, b);
  const suffix = commonSuffix(a.slice(prefix), b.slice(prefix));
  const x = a.slice(prefix, a.length - suffix);
  const y = b.slice(prefix, b.length - suffix);
  if (x.length === 0 || y.length === 0) return x.length + y.length;
  return x.length <= y.length ? distanceByColumns(x, y) : distanceByColumns(y, x);
}

function commonPrefix(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a.charCodeAt(length) === b.charCodeAt(length)) length += 1;
  return length;
}

function commonSuffix(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a.charCodeAt(a.length - 1 - length) === b.charCodeAt(b.length - 1 - length))
    length += 1;
  return length;
}

/**
 * A column of the distance table holds only differences between neighbours, +1 and -1, as bits: 32 rows a block.
 * The bottom row's differences, added up over the columns, give the distance.
 */
function distanceByColumns(pattern: string, text: string): number {
  const blocks = Math.ceil(pattern.length / 32);
  const matches = matchBits(pattern, blocks);
  const none = new Int32Array(blocks);
  const column = { plus: new Int32Array(blocks).fill(-1), minus: new Int32Array(blocks) };
  const lastRow = (pattern.length - 1) % 32;
  let distance = pattern.length;
  for (let j = 0; j < text.length; j++) {
    const equal = matches.get(text.charCodeAt(j)) ?? none;
    distance += advanceColumn(column, equal, lastRow);
  }
  return distance;
}

/** For each code unit of the pattern, the rows in which it stands. */
function matchBits(pattern: string, blocks: number): Map<number, Int32Array> {
  const matches = new Map<number, Int32Array>();
  for (let i = 0; i < pattern.length; i++) {
    const unit = pattern.charCodeAt(i);
    const bits = matches.get(unit) ?? new Int32Array(blocks);
    bits[i >>> 5]! |= 1 << (i & 31);
    matches.set(unit, bits);
  }
  return matches;
}

/** Moves the column one text position on; returns by how much its bottom row changed: -1, 0 or 1. */
function advanceColumn(
  column: { readonly plus: Int32Array; readonly minus: Int32Array },
  equal: Int32Array,
  lastRow: number,
): number {
  const { plus, minus } = column;
  const last = plus.length - 1;
  // What comes in from above the first block: the top row of the table grows by 1 a column.
  let carryPlus = 1;
  let carryMinus = 0;
  for (let block = 0; block <= last; block++) {
    const p = plus[block]!;
    const m = minus[block]!;
    const vertical = equal[block]! | m;
    const e = equal[block]! | carryMinus;
    const diagonal = (((e & p) + p) ^ p) | e;
    const risen = m | ~(diagonal | p);
    const fallen = p & diagonal;
    const row = block === last ? lastRow : 31;
    const shiftedRisen = (risen << 1) | carryPlus;
    const shiftedFallen = (fallen << 1) | carryMinus;
    carryPlus = (risen >>> row) & 1;
    carryMinus = (fallen >>> row) & 1;
    plus[block] = shiftedFallen | ~(vertical | shiftedRisen);
    minus[block] = shiftedRisen & vertical;
  }
  return carryPlus - carryMinus;
}

/** One measured value and the commit it comes from; without a weight, every value weighs the same. */
export type Measured = { readonly commit: string; readonly value: number; readonly weight?: number };

/** A mean, and the interval that holds 95 % of the means of resampled commits. */
export type Interval = {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly commits: number;
};

/**
 * The weighted mean and its percentile bootstrap interval. Whole commits are drawn, because the files of one commit
 * resemble each other: drawing files would make the interval too narrow. The same seed and the same commits in the
 * same order give the same draws, so two arms measured on the same examples are resampled alike.
 */
export function meanWithBootstrap(
  values: readonly Measured[],
  options: { readonly seed: number; readonly samples: number },
): Interval {
  const commits = sumByCommit(values);
  const random = createRandom(options.seed);
  const means = Float64Array.from({ length: options.samples }, () =>
    ratio(commits.map(() => commits[random.below(commits.length)]!)),
  ).sort();
  return {
    mean: ratio(commits),
    low: quantile(means, 0.025),
    high: quantile(means, 0.975),
    commits: commits.length,
  };
}

type Sum = { total: number; weight: number };

function sumByCommit(values: readonly Measured[]): Sum[] {
  if (values.length === 0) throw new RangeError("the mean of no values");
  const sums = new Map<string, Sum>();
  for (const { commit, value, weight = 1 } of values) {
    if (!(weight > 0)) throw new RangeError(`a weight of ${weight}`);
    const sum = sums.get(commit) ?? { total: 0, weight: 0 };
    sum.total += value * weight;
    sum.weight += weight;
    sums.set(commit, sum);
  }
  return [...sums.values()];
}

function ratio(sums: readonly Sum[]): number {
  let total = 0;
  let weight = 0;
  for (const sum of sums) {
    total += sum.total;
    weight += sum.weight;
  }
  return total / weight;
}

/** Linear between neighbours, as NumPy's default. */
function quantile(sorted: Float64Array, share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (position - below);
}
