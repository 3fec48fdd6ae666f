// Reads a repository's history into a dataset folder: examples divided by time as they come, so that memory does not
// grow with the history, and a manifest last that says what was read and what became of every record. What an earlier
// run has read is taken from the folder's journal.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Example, Split } from "../dataset/example.ts";
import { keyOf } from "../dataset/hash.ts";
import { type Aside, createDivision } from "../dataset/split.ts";
import { createDatasetWriter, type DatasetManifest, type DatasetWriter } from "../dataset/store.ts";
import type { RepositoryRules } from "../filters/options.ts";
import type { Entry, LineEntry } from "./entry.ts";
import { createCounter, type HarvestResult } from "./harvest.ts";
import { identify, journalPath } from "./journal.ts";
import { type EarlyThreads, startEarly } from "./judging.ts";
import { guessLicense } from "./license.ts";
import { holdHeap } from "./nursery.ts";
import { type HistoryOptions, selectionOf } from "./options.ts";
import { type Listing, listCommits } from "./order.ts";
import { type DropReason, dropReasons } from "./reasons.ts";
import { openResumed, type Resumed } from "./resume.ts";
import { readRules } from "./rules.ts";
import { explainFailure, makeShadow, type Shadow, type Survey, surveyRepository } from "./shadow.ts";
import { type Counts, requireSides, sidesOf } from "./sides.ts";
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

export type WritePaths = {
  readonly repository: string;
  readonly folder: string;
  /** What is known of the repository; looked at when absent. */
  readonly survey?: Survey | undefined;
};

/** Writes the dataset of `repository` to `folder`; what was there before stays until the new one is whole. */
export async function* writeDataset(
  paths: WritePaths,
  options: HistoryOptions,
  signal?: AbortSignal,
): AsyncGenerator<WriteEvent, DatasetManifest> {
  const survey = paths.survey ?? (await surveyRepository(paths.repository, signal));
  const shadow = makeShadow(survey);
  let early: EarlyThreads | undefined;
  try {
    if (mayBeLong(survey, paths.folder)) early = startEarly(options.jobs);
    const [listing, rules, license] = await Promise.all([
      listCommits(shadow, selectionOf(options), signal),
      readRules(shadow.top, shadow, signal),
      guessLicense(shadow, signal),
    ]);
    holdHeap(listing.selected.length);
    const sides = sidesOf(listing, { shadow, options, repository: paths.repository });
    const resumed = resume(paths, { shadow, options, listing, rules, early });
    try {
      const writer = createDatasetWriter(paths.folder);
      return yield* writeEntries(
        { paths, shadow, options, listing, license, sides, resumed, writer },
        signal,
      );
    } finally {
      resumed.close();
    }
  } catch (error) {
    throw await explainFailure(error, { repository: paths.repository, shadow, signal });
  } finally {
    await early?.end();
    shadow.dispose();
  }
}

type Reading = { readonly shadow: Shadow; readonly options: HistoryOptions; readonly listing: Listing };

// A history of a thousand commits has some four thousand objects, and an index has 28 bytes of each or more.
const LONG_INDEX_BYTES = 1 << 17;

/** Whether threads will most likely be wanted to judge what is read; a journal has most of it already. */
function mayBeLong({ objectDirectory }: Survey, folder: string): boolean {
  const packs = join(objectDirectory, "pack");
  if (existsSync(journalPath(folder)) || !existsSync(packs)) return false;
  const indexes = readdirSync(packs).filter((name) => name.endsWith(".idx"));
  // Packs may be replaced by others meanwhile.
  const sizes = indexes.map((name) => statSync(join(packs, name), { throwIfNoEntry: false })?.size ?? 0);
  return sizes.some((size) => size >= LONG_INDEX_BYTES);
}

type Resuming = Reading & { readonly rules: RepositoryRules; readonly early: EarlyThreads | undefined };

function resume(paths: WritePaths, reading: Resuming): Resumed {
  const { shadow, options, listing, rules, early } = reading;
  return openResumed({
    folder: paths.folder,
    identity: identify(shadow, options, rules),
    harvest: { shadow, commits: listing.selected, options, rules, early },
    reachable: listing.reachable.map(({ hash }) => hash),
  });
}

type Writing = Reading & {
  readonly license: string | null;
  readonly paths: WritePaths;
  readonly sides: ReadonlyMap<string, Split>;
  readonly resumed: Resumed;
  readonly writer: DatasetWriter;
};

const COMMITS_PER_PROGRESS = 100;

async function* writeEntries(
  { paths, shadow, options, listing, license, sides, resumed, writer }: Writing,
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
    const { dropped } = counter.result();
    requireSides(placer.counts, { repository: paths.repository, shadow, options, dropped });
    return writer.finish({
      counters: countersOf(counter.result(), placer.aside),
      options,
      division: placer.report(),
      created: {
        repository: resolve(paths.repository),
        ...describeShadow(shadow),
        tips: Object.fromEntries(shadow.refs.map(({ name, oid }) => [name, oid])),
        license,
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
