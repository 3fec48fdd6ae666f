// Measures how much of what is tested also stands in what is learned from, after our division and, to compare with,
// after a random one of the same examples. Exact, and from the files alone: it knows nothing of how they were divided.
// The measure: an added line of at least 25 characters that stands anywhere in an old content or a diff to learn from,
// and an answer whose every such line does.

import { createRandom } from "../base/random.ts";
import type { Example, Split } from "./example.ts";
import { createKeyTable, type Key } from "./hash.ts";
import { eachTellingChange, eachTellingLine } from "./known.ts";
import { readExamples } from "./store.ts";

/** Both shares of a dataset on disk; reads it three times. */
export function leakReport(folder: string, seed = 0): LeakReport {
  return measureLeak((split) => readExamples(folder, split), seed);
}

/** Counts of what is tested and of what of it is known. */
export type LeakShare = {
  /** Tested examples, and those that add a telling line. */
  readonly examples: number;
  readonly answers: number;
  /** Answers whose every telling line stands in what is learned from. */
  readonly knownAnswers: number;
  readonly lines: number;
  readonly knownLines: number;
};

export type LeakReport = { readonly divided: LeakShare; readonly random: LeakShare };

const SIDES: readonly Split[] = ["train", "validation", "test"];

/**
 * Both shares of a dataset; `read` gives a side's examples and is called three times for each. The random division draws
 * as many examples for the test, one by one, whatever their commits.
 */
export function measureLeak(read: (split: Split) => Iterable<Example>, seed = 0): LeakReport {
  const sizes = SIDES.map((split) => countOf(read(split)));
  const drawn = drawTest(sizes, seed);
  const learned = { divided: createLineSet(), random: createLineSet() };
  eachExample(read, (example, split, index) => {
    if (split === "train") learned.divided.add(example);
    if (drawn[index] === 0) learned.random.add(example);
  });
  const shares = { divided: createShare(learned.divided), random: createShare(learned.random) };
  eachExample(read, (example, split, index) => {
    if (split === "test") shares.divided.add(example);
    if (drawn[index] === 1) shares.random.add(example);
  });
  return { divided: shares.divided.read(), random: shares.random.read() };
}

function countOf(examples: Iterable<Example>): number {
  let count = 0;
  for (const _ of examples) count++;
  return count;
}

/** 1 for the examples of a random test side, 2 for those of a validation side of the same size, 0 for the others. */
function drawTest(sizes: readonly number[], seed: number): Uint8Array {
  const [train = 0, validation = 0, test = 0] = sizes;
  const sides = [
    ...Array<number>(train).fill(0),
    ...Array<number>(validation).fill(2),
    ...Array<number>(test).fill(1),
  ];
  return Uint8Array.from(createRandom(seed).shuffle(sides));
}

function eachExample(
  read: (split: Split) => Iterable<Example>,
  visit: (example: Example, split: Split, index: number) => void,
): void {
  let index = 0;
  for (const split of SIDES) for (const example of read(split)) visit(example, split, index++);
}

/** Every telling line of examples. */
function createLineSet() {
  const lines = createKeyTable();
  const keep = (key: Key) => lines.put(key, 0);
  return {
    has: (key: Key) => lines.get(key) !== undefined,
    add: ({ old, diff }: Example) => {
      if (old !== null) eachTellingLine(old, keep);
      eachTellingChange(diff, keep);
    },
  };
}

function createShare(learned: { has(key: Key): boolean }) {
  const counts = { examples: 0, answers: 0, knownAnswers: 0, lines: 0, knownLines: 0 };
  return {
    add: ({ diff }: Example) => {
      let [lines, known] = [0, 0];
      eachTellingChange(diff, (key) => {
        lines++;
        if (learned.has(key)) known++;
      });
      counts.examples++;
      counts.lines += lines;
      counts.knownLines += known;
      if (lines === 0) return;
      counts.answers++;
      if (known === lines) counts.knownAnswers++;
    },
    read: (): LeakShare => ({ ...counts }),
  };
}
