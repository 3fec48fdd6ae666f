// Harvests a repository into a dataset folder: examples divided by time as they come, so that memory does not grow
// with the history, and a manifest last that says what was read and what became of every record.

import { resolve } from "node:path";
import { createDuplicateCheck, splitByTime } from "../dataset/split.ts";
import { createDatasetWriter, type DatasetManifest, type DatasetWriter } from "../dataset/store.ts";
import {
  type HarvestEvent,
  type HarvestResult,
  type HistoryOptions,
  harvestShadow,
  logOptionsOf,
} from "./harvest.ts";
import { listCommits } from "./log.ts";
import { openShadow } from "./shadow.ts";
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
    const place = placer(await listCommits(shadow, logOptionsOf(options, signal)), writer);
    let duplicates = 0;
    let next = await source.next();
    for (; !next.done; next = await source.next()) {
      const event = next.value.type === "progress" ? next.value : place(next.value);
      if (event.type === "dropped" && event.reason === "duplicate") duplicates++;
      yield event;
    }
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

/** Writes a record to its place and returns it, or the drop that an example became. */
function placer(commits: readonly string[], writer: DatasetWriter): (event: RecordEvent) => RecordEvent {
  const sides = splitByTime(commits);
  const duplicateOf = createDuplicateCheck();
  const drop = (event: Extract<RecordEvent, { type: "dropped" }>) => {
    const { type: _, ...record } = event;
    writer.drop(record);
    return event;
  };
  return (event) => {
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
    return event;
  };
}

function countersOf(result: HarvestResult, duplicates: number): Record<string, number> {
  const { commits, merges, records, examples, dropped } = result;
  return { commits, merges, records, examples: examples - duplicates, ...dropped, duplicate: duplicates };
}
