// The pieces with which Unigram training begins: single letters, and the strings within words that occur often, the
// more of the text they cover the better. Found letter by letter: only what occurs twice is made longer.

import type { Words } from "./words.ts";

export type Seed = { readonly points: readonly number[]; readonly weight: number };

const LEAST_COUNT = 2;
const LONGEST = 16;

/** All letters, then the `most` heaviest strings of two letters and more; weight is occurrences times length. */
export function seedPieces(words: Words, most: number): Seed[] {
  const letters = new Map<number, number>();
  eachLetter(words, (point, count) => letters.set(point, (letters.get(point) ?? 0) + count));
  const single = [...letters].map(([point, weight]): Seed => ({ points: [point], weight }));
  const longer = repeatedStrings(words);
  longer.sort((a, b) => b.weight - a.weight || comparePoints(a.points, b.points));
  return [...single.sort(heavierFirst), ...longer.slice(0, most)];
}

export function heavierFirst(a: Seed, b: Seed): number {
  return b.weight - a.weight || comparePoints(a.points, b.points);
}

function comparePoints(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

function eachLetter({ points, starts, counts }: Words, visit: (point: number, count: number) => void): void {
  for (let word = 0; word < counts.length; word++) {
    for (let at = starts[word]!; at < starts[word + 1]!; at++) visit(points[at]!, counts[word]!);
  }
}

type Growing = {
  /** Places whose string still grows, and its number on this level. */
  readonly places: Uint32Array;
  readonly strings: Uint32Array;
  readonly texts: readonly (readonly number[])[];
};

function repeatedStrings(words: Words): Seed[] {
  const wordOf = new Uint32Array(words.points.length);
  for (let word = 0; word < words.counts.length; word++) {
    wordOf.fill(word, words.starts[word], words.starts[word + 1]);
  }
  let level: Growing = {
    places: Uint32Array.from(wordOf.keys()),
    strings: new Uint32Array(wordOf.length),
    texts: [[]],
  };
  const seeds: Seed[] = [];
  for (let length = 1; length <= LONGEST && level.places.length > 0; length++) {
    const next = growLevel(level, { words, wordOf, length });
    if (length > 1) {
      next.texts.forEach((points, i) => {
        seeds.push({ points, weight: next.counts[i]! * length });
      });
    }
    level = next;
  }
  return seeds;
}

type Level = { readonly words: Words; readonly wordOf: Uint32Array; readonly length: number };

/** The strings of `length` letters that occur twice, each an extension of one of the level before. */
function growLevel(
  level: Growing,
  { words, wordOf, length }: Level,
): Growing & { readonly counts: readonly number[] } {
  const numbers = new Map<number, number>();
  const found: number[] = [];
  const counts: number[] = [];
  const grown = new Int32Array(level.places.length).fill(-1);
  level.places.forEach((place, i) => {
    const last = place + length - 1;
    const word = wordOf[place]!;
    if (last >= words.starts[word + 1]!) return;
    const key = level.strings[i]! * 0x110000 + words.points[last]!;
    let number = numbers.get(key);
    if (number === undefined) {
      number = counts.length;
      numbers.set(key, number);
      counts.push(0);
      found.push(i);
    }
    counts[number]! += words.counts[word]!;
    grown[i] = number;
  });
  const kept = renumber(counts);
  const places = level.places.filter((_, i) => grown[i]! >= 0 && kept[grown[i]!]! >= 0);
  const strings = Uint32Array.from(
    grown.filter((number) => number >= 0 && kept[number]! >= 0),
    (number) => kept[number]!,
  );
  const texts = found.flatMap((i, number) => {
    const last = words.points[level.places[i]! + length - 1]!;
    return kept[number]! < 0 ? [] : [[...level.texts[level.strings[i]!]!, last]];
  });
  return { places, strings, texts, counts: counts.filter((count) => count >= LEAST_COUNT) };
}

/** New numbers for the strings that occur often enough, -1 for the others. */
function renumber(counts: readonly number[]): Int32Array {
  let next = 0;
  return Int32Array.from(counts, (count) => (count >= LEAST_COUNT ? next++ : -1));
}
