// The history step: repository in, dataset folder out, with its counters shown.

import { join } from "node:path";
import { writeFileAtomic } from "../../base/files.ts";
import type { DatasetManifest } from "../../dataset/store.ts";
import { datasetCard } from "../../forms/card.ts";
import type { HistoryOptions } from "../../history/options.ts";
import { type WritePaths, writeDataset } from "../../history/write.ts";
import { datasetClaim, requireClaim } from "../claim.ts";
import { withLock } from "../lock.ts";
import { formatCount } from "../units.ts";
import type { Face } from "./face.ts";

export async function harvestStep(
  paths: WritePaths,
  options: HistoryOptions,
  face: Face,
): Promise<DatasetManifest> {
  return withLock(paths.folder, "or make another dataset with history --output DIR", () =>
    harvest(paths, options, face),
  );
}

async function harvest(paths: WritePaths, options: HistoryOptions, face: Face): Promise<DatasetManifest> {
  requireClaim(paths.folder, datasetClaim);
  const events = writeDataset(paths, options, face.signal);
  for (;;) {
    const next = await events.next();
    if (next.done) {
      face.progress.finish();
      writeFileAtomic(join(paths.folder, "README.md"), datasetCard(next.value));
      return next.value;
    }
    if (next.value.type === "notice") {
      face.progress.line(next.value.text);
      continue;
    }
    const { commits, total, examples } = next.value;
    const note = `${formatCount(examples)} examples`;
    face.progress.update({ label: "history", done: commits, total, unit: "commits", note });
  }
}

const SHALLOW = 'cut off: this is a shallow clone; "git fetch --unshallow" brings the rest';

/** Counters as rows of a table, the reasons that dropped nothing left out. */
export function describeDataset({
  examples,
  counters,
  created,
}: DatasetManifest): (readonly [string, string])[] {
  const { commits = 0, merges = 0, records = 0, examples: kept = 0, ...dropped } = counters;
  const reasons = Object.entries(dropped).filter(([, count]) => count > 0);
  return [
    ...(created.shallow === true ? [["history", SHALLOW] as const] : []),
    ["commits", `${formatCount(commits)} (${formatCount(merges)} merges have no records)`],
    ["changed files", formatCount(records)],
    ["examples", `${formatCount(kept)} that re-apply byte for byte`],
    [
      "split by time",
      `${formatCount(examples.train)} train, ${formatCount(examples.validation)} validation, ${formatCount(examples.test)} test`,
    ],
    ...reasons.map(([reason, count]) => [`left out: ${reason}`, formatCount(count)] as const),
  ];
}
