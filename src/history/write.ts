// Harvests a repository into a dataset folder: examples divided by time as they come, so that memory does not grow
// with the history, and a manifest last that says what was read and what became of every record.

import { resolve } from "node:path";
import { UserError } from "../base/errors.ts";
import type { Split } from "../dataset/example.ts";
import { createDuplicateCheck, splitByTime } from "../dataset/split.ts";
import { createDatasetWriter, type DatasetManifest, type DatasetWriter, splits } from "../dataset/store.ts";
import {
  type HarvestEvent,
  type HarvestResult,
  type HistoryOptions,
  harvestShadow,
  logOptionsOf,
} from "./harvest.ts";
import { listCommits } from "./log.ts";
import { openShadow, type Shadow } from "./shadow.ts";
import { describeShadow } from "./source.ts";

/** Writes the dataset of `repository` to `folder`; what was there before stays until the new one is whole. */
export async function* writeDataset(
  paths: { readonly repository: string; readonly folder: string },
  options: HistoryOptions,
  signal?: AbortSignal,
): AsyncGenerator<HarvestEvent, DatasetManifest> {
  const shadow = await openShadow(paths.repository, signal);
  const writer = createDatasetWriter(paths.folder);
  const source = harvestShadow(shadow, options, signal);
  try {
    const commits = await listCommits(shadow, logOptionsOf(options, signal));
    requireCommits(commits.length, paths.repository, shadow);
    const { place, counts } = placer(commits, writer);
    let duplicates = 0;
    let next = await source.next();
    for (; !next.done; next = await source.next()) {
      const event = next.value.type === "progress" ? next.value : place(next.value);
      if (event.type === "dropped" && event.reason === "duplicate") duplicates++;
      yield event;
    }
    requireSides(counts, paths.repository, shadow);
    return writer.finish({
      counters: countersOf(next.value, duplicates),
      options,
      created: { repository: resolve(paths.repository), ...describeShadow(shadow) },
    });
  } finally {
    // A reader that leaves early leaves the harvest too: its git processes end here.
    await source.return({} as HarvestResult);
    writer.abort();
    shadow.dispose();
  }
}

type RecordEvent = Exclude<HarvestEvent, { type: "progress" }>;
type Counts = Record<Split, number>;

/** One commit for each side: to learn from, to watch the learning by, and to measure it on. */
function requireCommits(count: number, repository: string, shadow: Shadow): void {
  if (count >= splits.length) return;
  throw new UserError(
    `Expected at least ${splits.length} commits in ${repository}, to learn from the older and measure on the newer, found ${count}; ${moreHistory(shadow)}`,
  );
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

/** Writes a record to its place and returns it, or the drop that an example became. */
function placer(
  commits: readonly string[],
  writer: DatasetWriter,
): { place: (event: RecordEvent) => RecordEvent; counts: Counts } {
  const counts: Counts = { train: 0, validation: 0, test: 0 };
  const sides = splitByTime(commits);
  const duplicateOf = createDuplicateCheck();
  const drop = (event: Extract<RecordEvent, { type: "dropped" }>) => {
    const { type: _, ...record } = event;
    writer.drop(record);
    return event;
  };
  const place = (event: RecordEvent) => {
    if (event.type === "dropped") return drop(event);
    const { example } = event;
    const side = sides.get(example.commit)!;
    const detail = duplicateOf(example, side);
    if (detail !== undefined) {
      return drop({
        type: "dropped",
        commit: example.commit,
        path: example.path,
        reason: "duplicate",
        detail,
      });
    }
    writer.write(side, example);
    counts[side]++;
    return event;
  };
  return { place, counts };
}

function countersOf(result: HarvestResult, duplicates: number): Record<string, number> {
  const { commits, merges, records, examples, dropped } = result;
  return { commits, merges, records, examples: examples - duplicates, ...dropped, duplicate: duplicates };
}
