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

/** Takes the changed lines of a diff one by one and gives their signature. */
export type Signer = {
  add(sign: Sign, bytes: Uint8Array, line: { readonly start: number; readonly end: number }): void;
  /** 128 bytes that agree in as many places as two changes share runs of words; `undefined` for fewer than five words.
   * The next line is the first of another diff. */
  take(): Uint8Array | undefined;
};

/** Of a changed line: added or removed. */
export type Sign = "+" | "-";

/** The signature of a diff. */
export function signatureOf(diff: string): Uint8Array | undefined {
  const bytes = Buffer.from(diff);
  const signer = createSigner();
  eachChangedLine(bytes, (sign, start, end) => signer.add(sign, bytes, { start, end }));
  return signer.take();
}

export function createSigner(): Signer {
  const minima = new Uint32Array(BINS);
  const words = { "+": createWords(), "-": createWords() };
  return {
    add: (sign, bytes, { start, end }) => words[sign].addLine(bytes, start, end),
    take: () => {
      minima.fill(EMPTY);
      // The seed keeps what is added apart from what is removed: to take away what came earlier is not the same change.
      const runs = lowerMinima(minima, words["+"].take(), 1) + lowerMinima(minima, words["-"].take(), 2);
      return runs === 0 ? undefined : signatureFrom(minima);
    },
  };
}

/** Lowers the minima by each run of five words, and returns how many there are. */
function lowerMinima(minima: Uint32Array, words: Uint32Array, seed: number): number {
  for (let end = WORDS; end <= words.length; end++) {
    let run = seed;
    for (let at = end - WORDS; at < end; at++) run = Math.imul(run, 0x9e3779b1) + words[at]!;
    run = mix(run);
    // The lowest seven bits choose the bin, the others are compared.
    const bin = run % BINS;
    if (run < minima[bin]!) minima[bin] = run;
  }
  return Math.max(0, words.length - WORDS + 1);
}

function signatureFrom(minima: Uint32Array): Uint8Array {
  const signature = new Uint8Array(BINS);
  known ??= drawAll();
  const draws = known;
  let count = 0;
  for (let bin = 0; bin < BINS; bin++) if (minima[bin] !== EMPTY) fullBins[count++] = bin;
  // Of few bins the first that would be drawn is found sooner by asking each for its turn.
  const few = count * count < BINS;
  for (let bin = 0; bin < BINS; bin++) {
    let full = bin;
    if (minima[bin] === EMPTY)
      full = few ? firstOf(draws.turns, bin * BINS, count) : firstDrawn(draws.order, bin * BINS, minima);
    // The bin goes in, so that bins with the same minimum do not agree by chance all at once.
    signature[bin] = mix(minima[full]! + Math.imul(bin, 0x9e3779b1));
  }
  return signature;
}

/** The bins with a minimum, as many as there are. */
const fullBins = new Uint8Array(BINS);

function firstDrawn(order: Uint8Array, start: number, minima: Uint32Array): number {
  let at = start;
  while (minima[order[at]!] === EMPTY) at++;
  return order[at]!;
}

function firstOf(turns: Uint8Array, start: number, count: number): number {
  let first = 0;
  let least = BINS;
  for (let i = 0; i < count; i++) {
    const turn = turns[start + fullBins[i]!]!;
    if (turn >= least) continue;
    least = turn;
    first = fullBins[i]!;
  }
  return first;
}

/** For each bin all bins in the order in which they are drawn for it, and the turn of each; the same for every change. */
type Draws = { readonly order: Uint8Array; readonly turns: Uint8Array };

/** `undefined` until a signature is first wanted. */
let known: Draws | undefined;

function drawAll(): Draws {
  const order = new Uint8Array(BINS * BINS);
  const turns = new Uint8Array(BINS * BINS);
  for (let bin = 0; bin < BINS; bin++) {
    const drawn = new Set<number>();
    for (let draw = 1; drawn.size < BINS; draw++) drawn.add(mix(bin * 0x10001 + draw * 0x9e3779b1) % BINS);
    order.set([...drawn], bin * BINS);
    for (const [turn, full] of [...drawn].entries()) turns[bin * BINS + full] = turn;
  }
  return { order, turns };
}

/** Takes lines and gives a number for each of their words; runs of words go on across lines. */
function createWords() {
  let hashes = new Uint32Array(1 << 10);
  let count = 0;
  return {
    addLine: (bytes: Uint8Array, start: number, end: number) => {
      // A word has one byte or more, and one between it and the next.
      const most = count + ((end - start + 1) >> 1);
      if (most > hashes.length) {
        const larger = new Uint32Array(2 * most);
        larger.set(hashes);
        hashes = larger;
      }
      count = hashWords(bytes, { start, end }, { hashes, count });
    },
    take: () => {
      const taken = hashes.subarray(0, count);
      count = 0;
      return taken;
    },
  };
}

type Line = { readonly start: number; readonly end: number };
type Hashes = { readonly hashes: Uint32Array; readonly count: number };

/** Adds the hashes of a line's words and returns how many there are then. */
function hashWords(bytes: Uint8Array, { start, end }: Line, { hashes, count }: Hashes): number {
  let filled = count;
  let hash = 0;
  for (let at = start; at < end; at++) {
    const unit = WORD_BYTES[bytes[at]!]!;
    if (unit !== 0) hash = Math.imul(hash ^ unit, 0x01000193) + 0x9e37;
    else if (hash !== 0) {
      hashes[filled++] = hash;
      hash = 0;
    }
  }
  if (hash !== 0) hashes[filled++] = hash;
  return filled;
}

/** The bytes of words, letters in lower case; 0 for what stands between words. All of what is not ASCII are words. */
const WORD_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const isWord = (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57) || byte === 95 || byte > 127;
  if (isWord) return byte;
  return byte >= 65 && byte <= 90 ? byte + 32 : 0;
});

const HUNK = Buffer.from("\n@@ ");
const [NEWLINE, PLUS, MINUS] = [10, 43, 45];

/** Calls `found` for each added and removed line of a diff with where its text starts and ends. */
export function eachChangedLine(diff: Buffer, found: (sign: Sign, start: number, end: number) => void): void {
  const first = diff.indexOf(HUNK);
  for (let at = first < 0 ? diff.length : first + 1; at < diff.length; ) {
    let end = at;
    while (end < diff.length && diff[end] !== NEWLINE) end++;
    if (diff[at] === PLUS) found("+", at + 1, end);
    else if (diff[at] === MINUS) found("-", at + 1, end);
    at = end + 1;
  }
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

/** A place of the table: which change, from 1 on, and eight bits of its band's hash, which tell most others apart. */
const INDEX_BITS = 24;
const INDEX = 2 ** INDEX_BITS - 1;

/** For up to 16 million changes. */
export function createNearIndex(): NearIndex {
  const chunks: Uint8Array[] = [];
  const ranks: number[] = [];
  let table = new Uint32Array(1 << 12);
  let taken = 0;
  /** Calls `visit` with each change that has the same band, until it returns true; returns the free place behind. */
  const walk = (signature: Uint8Array, band: Band, visit: (index: number) => boolean) => {
    const mask = table.length - 1;
    let place = band.hash & mask;
    for (; table[place] !== 0; place = (place + 1) & mask) {
      const entry = table[place]!;
      if (entry >>> INDEX_BITS !== band.hash >>> INDEX_BITS) continue;
      const index = (entry & INDEX) - 1;
      if (countEqual(chunks, { index, signature }, band) === ROWS && visit(index)) return -1;
    }
    return place;
  };
  const insert = (index: number, signature: Uint8Array) => {
    for (let from = 0; from < BINS; from += ROWS) {
      const band = bandAt(signature, from);
      let crowd = 0;
      const place = walk(signature, band, () => ++crowd >= CROWD);
      if (place < 0) continue;
      table[place] = (band.hash & ~INDEX) | (index + 1);
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
        ranks[index]! < rank && countEqual(chunks, { index, signature }, WHOLE) >= LEAST_EQUAL;
      for (let from = 0; from < BINS; from += ROWS) {
        if (walk(signature, bandAt(signature, from), isNear) < 0) return true;
      }
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

/** Rows of a signature that are looked up together. */
type Band = { readonly from: number; readonly rows: number; readonly hash: number };

const WHOLE: Band = { from: 0, rows: BINS, hash: 0 };

function bandAt(signature: Uint8Array, from: number): Band {
  let hash = from / ROWS;
  for (let row = from; row < from + ROWS; row++) hash = Math.imul(hash, 0x9e3779b1) + signature[row]!;
  return { from, rows: ROWS, hash: mix(hash) };
}

type Comparison = { readonly index: number; readonly signature: Uint8Array };

/** In how many rows of a band a kept signature agrees. */
function countEqual(
  chunks: readonly Uint8Array[],
  { index, signature }: Comparison,
  { from, rows }: Band,
): number {
  const chunk = chunks[Math.floor(index / CHUNK)]!;
  const at = (index % CHUNK) * BINS;
  let equal = 0;
  for (let row = from; row < from + rows; row++) if (chunk[at + row] === signature[row]) equal++;
  return equal;
}
