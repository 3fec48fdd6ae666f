// Measures how much of what is tested also stands in what is learned from, after our division and, to compare with,
// after a random one of the same examples. Exact, and from the examples alone: it knows nothing of how they were divided.
// The measure: an added line of at least 25 characters that stands anywhere in an old content or a diff to learn from,
// and an answer whose every such line does.

import { createRandom } from "../base/random.ts";
import type { Example, Split } from "./example.ts";
import { createKeyTable, type Key, type KeyTable } from "./hash.ts";
import { eachTellingChange, eachTellingLine } from "./known.ts";

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

/** Two passes over a dataset, each over the examples of train, validation and test in their order. */
export type LeakMeter = {
  /** First pass: takes what is tested. */
  test(example: Example, split: Split): void;
  /** Second pass: takes what is learned from. */
  learn(example: Example, split: Split): void;
  report(): LeakReport;
};

/**
 * A meter for a dataset with so many examples on each side. The random division draws as many examples for the test,
 * one by one, whatever their commits. In memory are eight bytes for each line of what is tested.
 */
export function createLeakMeter(sizes: Readonly<Record<Split, number>>, seed = 0): LeakMeter {
  const drawn = drawSides(sizes, seed);
  const wanted = createKeyTable();
  const shares = { divided: createShare(wanted), random: createShare(wanted) };
  const places = { tested: 0, learned: 0 };
  return {
    test: (example, split) => {
      const side = drawn[places.tested++];
      if (split === "test") shares.divided.test(example);
      if (side === RANDOM_TEST) shares.random.test(example);
    },
    learn: (example, split) => {
      const side = drawn[places.learned++];
      const learners = [
        ...(split === "train" ? [shares.divided] : []),
        ...(side === RANDOM_TRAIN ? [shares.random] : []),
      ];
      if (learners.length === 0) return;
      eachLine(example, (key) => {
        if (wanted.get(key) !== undefined) for (const share of learners) share.learn(key);
      });
    },
    report: () => ({ divided: shares.divided.read(), random: shares.random.read() }),
  };
}

const RANDOM_TRAIN = 0;
const RANDOM_TEST = 1;
const RANDOM_VALIDATION = 2;

function drawSides({ train, validation, test }: Readonly<Record<Split, number>>, seed: number): Uint8Array {
  const sides = new Uint8Array(train + validation + test).fill(RANDOM_TRAIN);
  sides.fill(RANDOM_VALIDATION, train, train + validation).fill(RANDOM_TEST, train + validation);
  return Uint8Array.from(createRandom(seed).shuffle([...sides]));
}

function eachLine({ old, diff }: Example, found: (key: Key) => void): void {
  if (old !== null) eachTellingLine(old, found);
  eachTellingChange(diff, found);
}

/** What one division tests, and which of its lines it has learned. */
function createShare(wanted: KeyTable) {
  const learned = createKeyTable();
  const answers: Uint32Array[] = [];
  let examples = 0;
  return {
    test: ({ diff }: Example) => {
      const lanes: number[] = [];
      eachTellingChange(diff, (key) => {
        wanted.put(key, 0);
        lanes.push(...key);
      });
      examples++;
      if (lanes.length > 0) answers.push(Uint32Array.from(lanes));
    },
    learn: (key: Key) => learned.put(key, 0),
    read: (): LeakShare => {
      const known = answers.map((lanes) => countKnown(lanes, learned));
      const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
      return {
        examples,
        answers: answers.length,
        knownAnswers: answers.filter((lanes, i) => known[i] === lanes.length / 2).length,
        lines: sum(answers.map((lanes) => lanes.length / 2)),
        knownLines: sum(known),
      };
    },
  };
}

function countKnown(lanes: Uint32Array, learned: KeyTable): number {
  let known = 0;
  for (let at = 0; at < lanes.length; at += 2) {
    if (learned.get([lanes[at]!, lanes[at + 1]!]) !== undefined) known++;
  }
  return known;
}
