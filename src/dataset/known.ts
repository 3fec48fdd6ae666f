// Remembers the lines that the changes of a side add, to tell an answer that could be copied from them: one whose
// every added line of some length stands there. A set of 32-bit keys for each side that grows with it, up to three million
// lines; beyond that a Bloom filter (1970), whose memory does not. Either way about two in ten thousand new lines are
// taken for known when there are millions.

import { type Key, keyOfBytes, mix } from "./hash.ts";
import { eachChangedLine } from "./near.ts";

/** Shorter lines stand everywhere and tell nothing. */
export const TELLING_LENGTH = 25;

const NEWLINE = 10;

/** The lines of at least 25 characters of a text, the white space around them taken off, as keys. */
export function eachTellingLine(text: string, found: (key: Key) => void): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    let end = bytes.indexOf(NEWLINE, at);
    if (end < 0) end = bytes.length;
    tell(bytes, { start: at, end }, found);
    at = end + 1;
  }
}

/** The same of the lines that a diff adds. */
export function eachTellingChange(diff: string, found: (key: Key) => void): void {
  const bytes = Buffer.from(diff);
  eachChangedLine(bytes, (sign, start, end) => {
    if (sign === "+") tell(bytes, { start, end }, found);
  });
}

/** Where a line stands in bytes, without its newline. */
export type LineRange = { readonly start: number; readonly end: number };

function tell(bytes: Uint8Array, line: LineRange, found: (key: Key) => void): void {
  if (line.end - line.start < TELLING_LENGTH) return;
  const core = withoutSpace(bytes, line);
  if (isTelling(bytes, core)) found(keyOfBytes(bytes, core.start, core.end));
}

/** A line without the white space around it. */
export function withoutSpace(bytes: Uint8Array, { start, end }: LineRange): LineRange {
  while (start < end && isSpace(bytes[start]!)) start++;
  while (end > start && isSpace(bytes[end - 1]!)) end--;
  return { start, end };
}

/** Whether a line without white space around it is long enough, in UTF-16 units. */
export function isTelling(bytes: Uint8Array, { start, end }: LineRange): boolean {
  if (end - start < TELLING_LENGTH) return false;
  let units = 0;
  for (let at = start; at < end && units < TELLING_LENGTH; at++) {
    const byte = bytes[at]!;
    // A byte that continues a character counts for nothing, the first of four for two.
    if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units >= TELLING_LENGTH;
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

const BITS = 27;
const PROBES = 4;
const FIRST_PLACES = 1 << 12;
const MOST_PLACES = 1 << 22;

/** Lines as 32-bit numbers, each side with its rank: 0 for train, 1 for validation. */
export type KnownLines = {
  add(lines: Uint32Array, rank: number): void;
  /** True when there are lines and all of them are known of lower ranks. */
  hasAll(lines: Uint32Array, rank: number): boolean;
};

export function createKnownLines(): KnownLines {
  const sides = [createLineSet(BITS), createLineSet(BITS - 3)];
  return {
    add: (lines, rank) => sides[rank]!.add(lines),
    hasAll: (lines, rank) =>
      lines.length > 0 && lines.every((line) => sides.some((side, older) => older < rank && side.has(line))),
  };
}

type LineSet = { add(lines: Uint32Array): void; has(line: number): boolean };

/** A set of lines; a filter of so many bits once there are too many of them. */
function createLineSet(bits: number): LineSet {
  let places = new Uint32Array(FIRST_PLACES);
  let count = 0;
  let filter: LineSet | undefined;
  const grow = () => {
    const old = places;
    if (old.length === MOST_PLACES) {
      filter = createBloom(bits);
      filter.add(old.filter((line) => line !== 0));
      places = new Uint32Array(0);
      return;
    }
    places = new Uint32Array(2 * old.length);
    for (const line of old) if (line !== 0) places[placeOf(places, line)] = line;
  };
  return {
    add(lines) {
      for (let i = 0; i < lines.length && filter === undefined; i++) {
        const line = lines[i]! || ZERO;
        const place = placeOf(places, line);
        if (places[place] !== 0) continue;
        places[place] = line;
        if (4 * ++count > 3 * places.length) grow();
      }
      filter?.add(lines);
    },
    has: (line) => filter?.has(line) ?? places[placeOf(places, line || ZERO)] !== 0,
  };
}

/** What stands for the key of zero, which means a free place. */
const ZERO = 1;

/** Where a line stands, or the free place where it belongs. Keys are mixed: their own bits say where to look. */
function placeOf(places: Uint32Array, line: number): number {
  const mask = places.length - 1;
  let place = line & mask;
  while (places[place] !== 0 && places[place] !== line) place = (place + 1) & mask;
  return place;
}

function createBloom(bits: number): LineSet {
  const words = new Uint32Array(2 ** (bits - 5));
  const mask = 2 ** bits - 1;
  const bitOf = (line: number, step: number, probe: number) => (line + Math.imul(probe, step)) & mask;
  return {
    add: (lines) => {
      for (const line of lines) {
        const step = mix(line) | 1;
        for (let probe = 0; probe < PROBES; probe++) {
          const bit = bitOf(line, step, probe);
          words[bit >>> 5]! |= 1 << (bit & 31);
        }
      }
    },
    has: (line) => {
      const step = mix(line) | 1;
      for (let probe = 0; probe < PROBES; probe++) {
        const bit = bitOf(line, step, probe);
        if ((words[bit >>> 5]! & (1 << (bit & 31))) === 0) return false;
      }
      return true;
    },
  };
}
