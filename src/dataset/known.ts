// Remembers the lines that the changes of a side add, to tell an answer that could be copied from them: one whose
// every added line of some length stands there. A Bloom filter (1970) for each side: fixed memory; with four million
// lines two in ten thousand new ones are taken for known.

import { type Key, keyOf, mix } from "./hash.ts";
import { eachChangedLine } from "./near.ts";

/** Shorter lines stand everywhere and tell nothing. */
export const TELLING_LENGTH = 25;

/** The lines of at least 25 characters of a text, the white space around them taken off, as keys. */
export function eachTellingLine(text: string, found: (key: Key) => void): void {
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf("\n", at);
    if (end < 0) end = text.length;
    tell(text, { start: at, end }, found);
    at = end + 1;
  }
}

/** The same of the lines that a diff adds. */
export function eachTellingChange(diff: string, found: (key: Key) => void): void {
  eachChangedLine(diff, (sign, start, end) => {
    if (sign === "+") tell(diff, { start, end }, found);
  });
}

type Range = { readonly start: number; readonly end: number };

function tell(text: string, range: Range, found: (key: Key) => void): void {
  let { start, end } = range;
  if (end - start < TELLING_LENGTH) return;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  if (end - start >= TELLING_LENGTH) found(keyOf(text, start, end));
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
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
