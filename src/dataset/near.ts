// Near-duplicates: changes whose changed lines share most of their runs of five words. MinHash (Broder, 1997) with 128
// minima from one hash a run: each run falls into one of 128 bins, and an empty bin takes the minimum of a full one
// that is drawn for it (Shrivastava, "Optimal densification for fast and accurate minwise hashing", ICML 2017).
// Candidates by 16 bands of 8, of which one must agree (Leskovec et al., Mining of Massive Datasets, 3.4); of each
// minimum eight bits are kept (Li and König, "b-bit minwise hashing", 2010): 128 bytes a change.

import { mix } from "./hash.ts";

const BINS = 128;
const BANDS = 16;
const ROWS = BINS / BANDS;
const WORDS = 5;

/** Changes that share at least this part of their runs of words are near. */
export const NEAR = 0.7;
/** Eight bits agree by chance once in 256. */
const LEAST_EQUAL = Math.ceil(BINS * (NEAR * (255 / 256) + 1 / 256));

const EMPTY = 0xffffffff;
const minima = new Uint32Array(BINS);

/** 128 bytes that agree in as many places as two diffs share runs of words; `undefined` for fewer than five words. */
export function signatureOf(diff: string): Uint8Array | undefined {
  minima.fill(EMPTY);
  const added = createShingler(1);
  const removed = createShingler(2);
  eachChangedLine(diff, (sign, start, end) => {
    (sign === "+" ? added : removed).addLine(diff, start, end);
  });
  if (added.count() + removed.count() === 0) return undefined;
  const signature = new Uint8Array(BINS);
  // The bin goes in, so that bins with the same minimum do not agree by chance all at once.
  for (let bin = 0; bin < BINS; bin++) {
    signature[bin] = mix(minima[fullBin(bin)]! + Math.imul(bin, 0x9e3779b1));
  }
  return signature;
}

/** The bin itself, or the first full one of those that are drawn for it, the same for every change. */
function fullBin(bin: number): number {
  let found = bin;
  for (let draw = 1; minima[found] === EMPTY; draw++) found = mix(bin * 0x10001 + draw * 0x9e3779b1) % BINS;
  return found;
}

/** Calls `found` for each added and removed line of a diff with where its text starts and ends. */
export function eachChangedLine(
  diff: string,
  found: (sign: "+" | "-", start: number, end: number) => void,
): void {
  const first = diff.indexOf("\n@@ ");
  for (let at = first < 0 ? diff.length : first + 1; at < diff.length; ) {
    let end = diff.indexOf("\n", at);
    if (end < 0) end = diff.length;
    const code = diff.charCodeAt(at);
    if (code === 43) found("+", at + 1, end);
    else if (code === 45) found("-", at + 1, end);
    at = end + 1;
  }
}

/** Takes lines and lowers the minima by each run of five words, runs across lines included. The seed keeps what is
 * added apart from what is removed: to take away what came earlier is not the same change. */
function createShingler(seed: number) {
  const last = new Uint32Array(WORDS);
  let words = 0;
  const addWord = (hash: number) => {
    last[words++ % WORDS] = hash;
    if (words < WORDS) return;
    let shingle = seed;
    for (let back = WORDS; back > 0; back--) {
      shingle = Math.imul(shingle, 0x9e3779b1) + last[(words - back) % WORDS]!;
    }
    shingle = mix(shingle);
    // The lowest seven bits choose the bin, the others are compared.
    const bin = shingle % BINS;
    if (shingle < minima[bin]!) minima[bin] = shingle;
  };
  return {
    addLine: (text: string, start: number, end: number) => {
      let hash = 0;
      for (let at = start; at <= end; at++) {
        const unit = at < end ? wordUnit(text.charCodeAt(at)) : 0;
        if (unit !== 0) hash = Math.imul(hash ^ unit, 0x01000193) + 0x9e37;
        else if (hash !== 0) {
          addWord(hash >>> 0);
          hash = 0;
        }
      }
    },
    count: () => Math.max(0, words - WORDS + 1),
  };
}

/** A unit of a word, letters in lower case; 0 for what stands between words. */
function wordUnit(code: number): number {
  if ((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 95 || code > 127) return code;
  return code >= 65 && code <= 90 ? code + 32 : 0;
}

/** Signatures with the rank of their side each. */
export type NearIndex = {
  /** True when a signature of a lower rank is near this one. */
  hasEarlier(signature: Uint8Array, rank: number): boolean;
  add(signature: Uint8Array, rank: number): void;
};

const CHUNK = 4096;
/** So many changes are kept for the same band; more of them are the same boilerplate again. */
const CROWD = 4;

export function createNearIndex(): NearIndex {
  const chunks: Uint8Array[] = [];
  const ranks: number[] = [];
  let table = new Uint32Array(1 << 12);
  let taken = 0;
  /** Calls `visit` with each change that has the same band, until it returns true; returns the free place behind. */
  const walk = (signature: Uint8Array, band: number, visit: (index: number) => boolean) => {
    const mask = table.length - 1;
    let place = bandHash(signature, band) & mask;
    for (; table[place] !== 0; place = (place + 1) & mask) {
      const index = table[place]! - 1;
      if (equalPlaces(chunks, { index, signature, from: band * ROWS, rows: ROWS }) === ROWS && visit(index))
        return -1;
    }
    return place;
  };
  const insert = (index: number, signature: Uint8Array) => {
    for (let band = 0; band < BANDS; band++) {
      let crowd = 0;
      const place = walk(signature, band, () => ++crowd >= CROWD);
      if (place < 0) continue;
      table[place] = index + 1;
      taken++;
    }
  };
  const grow = () => {
    table = new Uint32Array(2 * table.length);
    taken = 0;
    for (let index = 0; index < ranks.length; index++) {
      const at = (index % CHUNK) * BINS;
      insert(index, chunks[Math.floor(index / CHUNK)]!.subarray(at, at + BINS));
    }
  };
  return {
    hasEarlier: (signature, rank) => {
      const isNear = (index: number) =>
        ranks[index]! < rank && equalPlaces(chunks, { index, signature, from: 0, rows: BINS }) >= LEAST_EQUAL;
      for (let band = 0; band < BANDS; band++) if (walk(signature, band, isNear) < 0) return true;
      return false;
    },
    add: (signature, rank) => {
      const index = ranks.push(rank) - 1;
      if (index % CHUNK === 0) chunks.push(new Uint8Array(CHUNK * BINS));
      chunks.at(-1)!.set(signature, (index % CHUNK) * BINS);
      if (4 * (taken + BANDS) > 3 * table.length) grow();
      else insert(index, signature);
    },
  };
}

function bandHash(signature: Uint8Array, band: number): number {
  let hash = band;
  for (let row = band * ROWS; row < (band + 1) * ROWS; row++)
    hash = Math.imul(hash, 0x9e3779b1) + signature[row]!;
  return mix(hash);
}

type Comparison = {
  readonly index: number;
  readonly signature: Uint8Array;
  readonly from: number;
  readonly rows: number;
};

/** In how many of the rows a kept signature agrees. */
function equalPlaces(chunks: readonly Uint8Array[], { index, signature, from, rows }: Comparison): number {
  const chunk = chunks[Math.floor(index / CHUNK)]!;
  const at = (index % CHUNK) * BINS;
  let equal = 0;
  for (let row = from; row < from + rows; row++) if (chunk[at + row] === signature[row]) equal++;
  return equal;
}
