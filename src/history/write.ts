// Reads a repository's history into a dataset folder: examples divided by time as they come, so that memory does not
// grow with the history, and a manifest last that says what was read and what became of every record. What an earlier
// run has read is taken from the folder's journal.

import { resolve } from "node:path";
import { UserError } from "../base/errors.ts";
import type { Example, Split } from "../dataset/example.ts";
import { keyOf } from "../dataset/hash.ts";
import { type Aside, createDivision, divideCommits, type PlacedCommit } from "../dataset/split.ts";
import { createDatasetWriter, type DatasetManifest, type DatasetWriter, splits } from "../dataset/store.ts";
import type { Entry, LineEntry } from "./entry.ts";
import { createCounter, type HarvestResult } from "./harvest.ts";
import { identify } from "./journal.ts";
import { guessLicense } from "./license.ts";
import { type HistoryOptions, selectionOf } from "./options.ts";
import { type Commit, canHaveExamples, type Listing, listCommits } from "./order.ts";
import { type DropReason, dropReasons } from "./reasons.ts";
import { openResumed, type Resumed } from "./resume.ts";
import { readRules } from "./rules.ts";
import { openShadow, type Shadow } from "./shadow.ts";
import { describeShadow } from "./source.ts";

/** What is said while a dataset is written: how far it is, and what a person should know. */
export type WriteEvent =
  | {
      readonly type: "progress";
      readonly commits: number;
      readonly total: number;
      readonly examples: number;
    }
  | { readonly type: "notice"; readonly text: string };

export type WritePaths = { readonly repository: string; readonly folder: string };

/** Writes the dataset of `repository` to `folder`; what was there before stays until the new one is whole. */
export async function* writeDataset(
  paths: WritePaths,
  options: HistoryOptions,
  signal?: AbortSignal,
): AsyncGenerator<WriteEvent, DatasetManifest> {
  const shadow = await openShadow(paths.repository, signal);
  try {
    const listing = await listCommits(shadow, selectionOf(options), signal);
    const sides = sidesOf(listing, { shadow, options, repository: paths.repository });
    const resumed = await resume(paths, { shadow, options, listing }, signal);
    try {
      const writer = createDatasetWriter(paths.folder);
      return yield* writeEntries({ paths, shadow, options, listing, sides, resumed, writer }, signal);
    } finally {
      resumed.close();
    }
  } finally {
    shadow.dispose();
  }
}

type Reading = { readonly shadow: Shadow; readonly options: HistoryOptions; readonly listing: Listing };

async function resume(paths: WritePaths, reading: Reading, signal?: AbortSignal): Promise<Resumed> {
  const { shadow, options, listing } = reading;
  const rules = await readRules(shadow.top, shadow, signal);
  return openResumed({
    folder: paths.folder,
    identity: identify(shadow, options, rules),
    harvest: { shadow, commits: listing.selected.map(({ hash }) => hash), options, rules },
    reachable: listing.reachable.map(({ hash }) => hash),
  });
}

type Writing = Reading & {
  readonly paths: WritePaths;
  readonly sides: ReadonlyMap<string, Split>;
  readonly resumed: Resumed;
  readonly writer: DatasetWriter;
};

const COMMITS_PER_PROGRESS = 100;

async function* writeEntries(
  { paths, shadow, options, listing, sides, resumed, writer }: Writing,
  signal?: AbortSignal,
): AsyncGenerator<WriteEvent, DatasetManifest> {
  const total = listing.selected.length;
  const counter = createCounter();
  const placer = createPlacer(sides, writer);
  let shown = -COMMITS_PER_PROGRESS;
  try {
    if (resumed.gone > 0) yield { type: "notice", text: describeGone(resumed.gone) };
    for await (const entries of resumed.entries(signal)) {
      for (const entry of entries) {
        counter.count(entry);
        placer.place(entry);
      }
      const { commits, examples } = counter.result();
      if (commits - shown < COMMITS_PER_PROGRESS) continue;
      shown = commits;
      yield { type: "progress", commits, total, examples };
    }
    yield { type: "progress", commits: total, total, examples: counter.result().examples };
    requireSides(placer.counts, paths.repository, shadow);
    return writer.finish({
      counters: countersOf(counter.result(), placer.aside),
      options,
      division: placer.report(),
      created: {
        repository: resolve(paths.repository),
        ...describeShadow(shadow),
        tips: Object.fromEntries(shadow.refs.map(({ name, oid }) => [name, oid])),
        license: await guessLicense(shadow, signal),
      },
    });
  } finally {
    writer.abort();
  }
}

function describeGone(count: number): string {
  const what =
    count === 1 ? "1 commit that was read before is" : `${count} commits that were read before are`;
  return `The history was rewritten: ${what} no longer part of it and left out`;
}

type Counts = Record<Split, number>;

/** The side of each commit that can have examples; at least one for each: to learn from, to watch the learning by, and
 * to measure it on. */
function sidesOf(
  { selected }: Listing,
  { shadow, options, repository }: Omit<Reading, "listing"> & { readonly repository: string },
): ReadonlyMap<string, Split> {
  const selection = selectionOf(options);
  const sided = selected.filter((commit) => canHaveExamples(commit, shadow, selection));
  if (sided.length >= splits.length) return divideCommits(placed(sided), options);
  throw new UserError(
    `Expected at least ${splits.length} commits in ${repository}, to learn from the older and measure on the newer, found ${describeFew(selected, sided.length, shadow)}; ${moreHistory(shadow)}`,
  );
}

/** How many commits can be used, and what the others are. */
function describeFew(selected: readonly Commit[], used: number, shadow: Shadow): string {
  const edge = selected.filter(({ hash }) => shadow.shallow.has(hash)).length;
  const merges = selected.length - edge - used;
  const others = [
    ...(merges > 0 ? [`${merges} that ${merges === 1 ? "is a merge" : "are merges"}`] : []),
    ...(edge > 0 ? [`${edge} at the edge of what was cloned, whose changes cannot be known`] : []),
  ];
  return others.length === 0 ? `${used}` : `${used} beside ${others.join(" and ")}`;
}

/** Where clocks are wrong, a commit counts as made when the ones before it were. */
function placed(commits: readonly Commit[]): PlacedCommit[] {
  let latest = 0;
  return commits.map(({ hash, time }) => {
    latest = Math.max(latest, time);
    return { hash, time: latest };
  });
}

/** Without examples to learn from, or to measure on, a dataset is of no use; better to say so before it is one. */
function requireSides({ train, test }: Counts, repository: string, shadow: Shadow): void {
  if (train > 0 && test > 0) return;
  throw new UserError(
    `Expected changes to text files in both the older and the newest commits of ${repository}, found ${train} examples to learn from and ${test} to measure on; ${moreHistory(shadow)}`,
  );
}

function moreHistory(shadow: Shadow): string {
  return shadow.shallow.size > 0
    ? 'this clone is shallow, run "git fetch --unshallow" there and this again'
    : "take a repository with more history";
}

/** Writes each record to its place: an example to its side, or to what is left out when an older side has it. */
function createPlacer(sides: ReadonlyMap<string, Split>, writer: DatasetWriter) {
  const counts: Counts = { train: 0, validation: 0, test: 0 };
  const division = createDivision();
  const set: Partial<Record<Aside["reason"], number>> = {};
  // Files whose lines all came with examples that were placed. Of any other the old content is new to the division: what
  // stood in it before the first commit that is read, or came with a record that is no example.
  const followed = new Set<number>();
  const placeLine = ({ commit, path, print, line }: LineEntry) => {
    const side = sides.get(commit)!;
    const aside = division.place(print, side);
    const [file] = keyOf(path);
    if (aside !== undefined) {
      followed.delete(file);
      set[aside.reason] = (set[aside.reason] ?? 0) + 1;
      writer.drop({ commit, path, ...aside });
      return;
    }
    counts[side]++;
    writer.writeLine(side, line);
    if (!followed.has(file)) division.know(oldOf(line), side);
    followed.add(file);
  };
  return {
    counts,
    aside: set,
    report: division.report,
    place(entry: Entry): void {
      if (entry.type === "line") placeLine(entry);
      if (entry.type !== "dropped") return;
      const { type: _, ...record } = entry;
      followed.delete(keyOf(record.path)[0]);
      writer.drop(record);
    },
  };
}

const CREATED = Buffer.from('"old":null');

/** The old content in an example's line; quotes in its strings are escaped, so that a key is found as it is. */
function oldOf(line: Uint8Array): string {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  return bytes.includes(CREATED) ? "" : (JSON.parse(bytes.toString("utf8")) as Example).old!;
}

function countersOf(
  { commits, merges, records, examples, dropped }: HarvestResult,
  aside: Readonly<Partial<Record<DropReason, number>>>,
): Record<string, number> {
  const counts = dropReasons.map(
    (reason) => [reason, (dropped[reason] ?? 0) + (aside[reason] ?? 0)] as const,
  );
  const left = Object.values(aside).reduce((sum, count) => sum + count, 0);
  return { commits, merges, records, examples: examples - left, ...Object.fromEntries(counts) };
}
