// Remembers the lines that the changes of a side add, to tell an answer that could be copied from them: one whose
// every added line of some length stands there. A Bloom filter (1970) for each side: fixed memory; with four million
// lines two in ten thousand new ones are taken for known.

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

/** Lines as 32-bit numbers, each side with its rank: 0 for train, 1 for validation. */
export type KnownLines = {
  add(lines: Uint32Array, rank: number): void;
  /** True when there are lines and all of them are known of lower ranks. */
  hasAll(lines: Uint32Array, rank: number): boolean;
};

export function createKnownLines(): KnownLines {
  const filters = [createBloom(BITS), createBloom(BITS - 3)];
  return {
    add: (lines, rank) => {
      for (const line of lines) filters[rank]!.add(line);
    },
    hasAll: (lines, rank) =>
      lines.length > 0 &&
      lines.every((line) => filters.some((filter, side) => side < rank && filter.has(line))),
  };
}

function createBloom(bits: number) {
  const words = new Uint32Array(2 ** (bits - 5));
  const mask = 2 ** bits - 1;
  const bitOf = (line: number, step: number, probe: number) => (line + Math.imul(probe, step)) & mask;
  return {
    add: (line: number) => {
      const step = mix(line) | 1;
      for (let probe = 0; probe < PROBES; probe++) {
        const bit = bitOf(line, step, probe);
        words[bit >>> 5]! |= 1 << (bit & 31);
      }
    },
    has: (line: number) => {
      const step = mix(line) | 1;
      for (let probe = 0; probe < PROBES; probe++) {
        const bit = bitOf(line, step, probe);
        if ((words[bit >>> 5]! & (1 << (bit & 31))) === 0) return false;
      }
      return true;
    },
  };
}
