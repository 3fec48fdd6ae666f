// Cuts a history into train, validation and test by time: the oldest commits train, the newest test, and all files
// of a commit stand on one side. What an older side has already is found and set aside from the newer one, so that
// nothing is counted as learned when it was only remembered: the same change, its inverse, and what is nearly the same.

import { parseDate } from "../base/dates.ts";
import { UsageError } from "../base/errors.ts";
import type { OptionTable, Values } from "../base/options.ts";
import type { Example, Split } from "./example.ts";
import { type Fingerprint, fingerprintOf, readBytes, readKey, readNumbers } from "./fingerprint.ts";
import { createKeyTable, type Key, type KeyTable } from "./hash.ts";
import { createKnownLines, eachTellingLine } from "./known.ts";
import { createNearIndex } from "./near.ts";

/** How a history is divided. */
export const splitOptions = {
  test_share: {
    type: "number",
    default: 0.1,
    help: "Part of the commits, the newest, to measure on",
    value: "PART",
    least: 0,
  },
  validation_share: {
    type: "number",
    default: 0.05,
    help: "Part of the commits, the newest before those, to watch the learning by",
    value: "PART",
    least: 0,
  },
  test_since: {
    type: "string",
    default: null,
    help: "Measure on the commits of this day and later instead of a part, such as 2024-01-01",
    value: "DATE",
    unset: "by --test_share",
  },
  validation_since: {
    type: "string",
    default: null,
    help: "Watch the learning by the commits from this day on that are not measured on",
    value: "DATE",
    unset: "by --validation_share",
  },
} as const satisfies OptionTable;

export type SplitOptions = Values<typeof splitOptions>;

/** Parts of all commits, between 0 and 1; the rest trains. */
export type Shares = { readonly validation: number; readonly test: number };

/** The parts that the options have when none is given. */
export const DEFAULT_SHARES: Shares = {
  validation: splitOptions.validation_share.default,
  test: splitOptions.test_share.default,
};

/** The side of each commit, from commits in order, oldest first. From three commits on no side is empty. */
export function splitByTime(
  commitsInOrder: readonly string[],
  shares: Shares = DEFAULT_SHARES,
): ReadonlyMap<string, Split> {
  const count = commitsInOrder.length;
  const test = clampTest(count, Math.round(count * shares.test));
  const validation = clampValidation(count, count - test, Math.round(count * shares.validation));
  return sidesOf(commitsInOrder, count - test - validation, count - test);
}

/** A commit's place in the order: `time` never falls from one to the next, seconds since 1970. */
export type PlacedCommit = { readonly hash: string; readonly time: number };

/**
 * The side of each commit, by shares or by dates; a date stands before a share. From three commits on no side that
 * a share gives is empty. Throws a `UsageError` for parts or dates that leave nothing to learn from.
 */
export function divideCommits(
  commits: readonly PlacedCommit[],
  options: SplitOptions,
): ReadonlyMap<string, Split> {
  requireParts(options);
  const count = commits.length;
  const startOf = (date: number) => {
    const first = commits.findIndex(({ time }) => time >= date);
    return first < 0 ? count : first;
  };
  const { test: testDate, validation: validationDate } = readDates(options);
  const testStart =
    testDate === null ? count - clampTest(count, Math.round(count * options.test_share)) : startOf(testDate);
  const validationStart =
    validationDate === null
      ? testStart - clampValidation(count, testStart, Math.round(count * options.validation_share))
      : Math.min(testStart, startOf(validationDate));
  return sidesOf(
    commits.map(({ hash }) => hash),
    validationStart,
    testStart,
  );
}

function requireParts({ test_share, validation_share }: SplitOptions): void {
  if (test_share + validation_share < 1) return;
  throw new UsageError(
    `Expected --test_share and --validation_share of less than 1 together, found ${test_share} and ${validation_share}`,
  );
}

function readDates({ test_since, validation_since }: SplitOptions) {
  const test = test_since === null ? null : parseDate("test_since", test_since).first;
  const validation = validation_since === null ? null : parseDate("validation_since", validation_since).first;
  if (test !== null && validation !== null && validation > test) {
    throw new UsageError(
      `Expected --validation_since before --test_since, found ${validation_since} after ${test_since}`,
    );
  }
  return { test, validation };
}

function sidesOf(
  commits: readonly string[],
  validationStart: number,
  testStart: number,
): ReadonlyMap<string, Split> {
  const sideOf = (index: number): Split => {
    if (index >= testStart) return "test";
    return index >= validationStart ? "validation" : "train";
  };
  return new Map(commits.map((commit, index) => [commit, sideOf(index)]));
}

/** At least one commit, and two left, where there are three. */
function clampTest(count: number, wanted: number): number {
  const least = count >= 3 ? 1 : 0;
  return clamp(wanted, least, Math.max(0, count - 2 * least));
}

/** At least one commit of those left, and one behind, where there are three in all. */
function clampValidation(count: number, left: number, wanted: number): number {
  const least = count >= 3 && left >= 2 ? 1 : 0;
  return clamp(wanted, least, Math.max(0, left - least));
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** Why an example is set aside from its side; `detail` says what stands in an older one. */
export type Aside = { readonly reason: AsideReason; readonly detail: string };

/** The reasons in the order in which they are asked. */
export const asideReasons = ["cherry-pick", "revert", "duplicate", "near-duplicate"] as const;

export type AsideReason = (typeof asideReasons)[number];

/** How many examples of each side were kept, and set aside by reason. */
export type DivisionReport = Readonly<
  Record<Split, { readonly kept: number; readonly aside: Readonly<Record<AsideReason, number>> }>
>;

export type Division = {
  /** Takes every example in the order of their commits and says what it shares with one of an older side. */
  place(print: Fingerprint, split: Split): Aside | undefined;
  /** Takes an old content of a side whose lines were not added by examples that were placed before. */
  know(old: string, split: Split): void;
  report(): DivisionReport;
};

const RANKS: Readonly<Record<Split, number>> = { train: 0, validation: 1, test: 2 };

/** Divides a history, example by example; keeps about 300 bytes of each, and 18 MB. */
export function createDivision(): Division {
  const memory = createMemory();
  const counts = Object.fromEntries(
    Object.keys(RANKS).map((split) => [split, { kept: 0, aside: noneAside() }]),
  ) as Record<Split, { kept: number; aside: Record<AsideReason, number> }>;
  return {
    place: (print, split) => {
      const rank = RANKS[split];
      const marks = readMarks(print);
      const aside = rank === 0 ? undefined : memory.find(marks, rank);
      memory.addCommit(marks, rank);
      if (aside !== undefined) counts[split].aside[aside.reason]++;
      else counts[split].kept++;
      // Nothing is newer than the test side, so nothing is looked for there.
      if (aside === undefined && rank < RANKS.test) memory.add(marks, rank);
      return aside;
    },
    know: (old, split) => {
      if (RANKS[split] < RANKS.test) memory.know(old, RANKS[split]);
    },
    report: () => structuredClone(counts),
  };
}

function noneAside(): Record<AsideReason, number> {
  return Object.fromEntries(asideReasons.map((reason) => [reason, 0])) as Record<AsideReason, number>;
}

/** A fingerprint as numbers. */
type Marks = ReturnType<typeof readMarks>;

function readMarks(print: Fingerprint) {
  return {
    commit: readKey(print.commit)!,
    change: readKey(print.change)!,
    lines: readKey(print.lines),
    inverse: readKey(print.inverse),
    reverts: readKey(print.reverts),
    near: print.near === "" ? undefined : readBytes(print.near),
    added: readNumbers(print.added),
  };
}

/** What the older sides hold. */
function createMemory() {
  const changes = createKeyTable();
  const lines = createKeyTable();
  const commits = createKeyTable();
  const near = createNearIndex();
  const known = createKnownLines();
  const isOlder = (table: KeyTable, key: Key | undefined, rank: number) =>
    key !== undefined && (table.get(key) ?? rank) < rank;
  return {
    find: (marks: Marks, rank: number): Aside | undefined => {
      if (isOlder(changes, marks.change, rank))
        return aside("cherry-pick", "the same change of the same file");
      if (isOlder(commits, marks.reverts, rank)) return aside("revert", "its message names an older commit");
      if (isOlder(lines, marks.inverse, rank)) return aside("revert", "the same lines the other way round");
      if (isOlder(lines, marks.lines, rank)) return aside("duplicate", "the same changed lines");
      if (marks.near !== undefined && near.hasEarlier(marks.near, rank)) {
        return aside("near-duplicate", "nearly the same changed lines");
      }
      return known.hasAll(marks.added, rank) ? aside("near-duplicate", "every added line") : undefined;
    },
    know: (old: string, rank: number) => {
      const lines: number[] = [];
      eachTellingLine(old, (key) => lines.push(key[0]));
      known.add(Uint32Array.from(lines), rank);
    },
    addCommit: ({ commit }: Marks, rank: number) => commits.put(commit, rank),
    add: (marks: Marks, rank: number) => {
      changes.put(marks.change, rank);
      if (marks.lines !== undefined) lines.put(marks.lines, rank);
      if (marks.near !== undefined) near.add(marks.near, rank);
      known.add(marks.added, rank);
    },
  };
}

function aside(reason: AsideReason, detail: string): Aside {
  return { reason, detail };
}

/** Takes every example with its side, in order, and says in words what it shares with one of an older side. */
export function createDuplicateCheck(): (example: Example, split: Split) => string | undefined {
  const division = createDivision();
  return (example, split) => division.place(fingerprintOf(example), split)?.detail;
}
