// For tests only: what `codefudge history` makes of a repository, read back from the folder that it wrote.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Example } from "../../src/dataset/example.ts";
import {
  type DatasetManifest,
  type Dropped,
  readExamples,
  readManifest,
  splits,
} from "../../src/dataset/store.ts";
import { run } from "../tiny.ts";

export type Reading = {
  /** Of all splits, oldest first. */
  readonly examples: readonly Example[];
  readonly dropped: readonly Dropped[];
  readonly manifest: DatasetManifest;
};

/** Runs the verb and reads its dataset; every record stands in exactly one of the files. */
export async function readHistory(
  repository: string,
  folder: string,
  flags: readonly string[] = [],
): Promise<Reading> {
  const { code, stderr } = await run(["history", repository, "--output", folder, "--quiet", ...flags]);
  assert.equal(code, 0, stderr);
  const reading = readBack(folder);
  assertSums(reading);
  return reading;
}

/** The dataset in a folder. */
export function readBack(folder: string): Reading {
  const lines = readFileSync(join(folder, "dropped.jsonl"), "utf8").split("\n").filter(Boolean);
  return {
    examples: splits.flatMap((split) => [...readExamples(folder, split)]),
    dropped: lines.map((line) => JSON.parse(line) as Dropped),
    manifest: readManifest(folder),
  };
}

/** The counters are those of the lines, and reasons and examples together are the records. */
export function assertSums({ examples, dropped, manifest }: Reading): void {
  const { commits: _, merges: __, records, examples: kept, ...reasons } = manifest.counters;
  assert.equal(kept, examples.length);
  assert.equal(records, examples.length + dropped.length, "every record is a line");
  const counted = countBy(dropped.map(({ reason }) => reason));
  const named = Object.entries(reasons).filter(([, count]) => count > 0);
  assert.deepEqual(Object.fromEntries(named), Object.fromEntries(counted));
}

export function countBy(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map([...counts].sort());
}

/** The one sentence with which the verb refuses a repository. */
export async function refusalOf(repository: string, folder: string): Promise<string> {
  const { code, stdout, stderr } = await run(["history", repository, "--output", folder, "--quiet"]);
  assert.deepEqual([code, stdout], [1, ""], stderr);
  assert.match(stderr, /^Expected [^\n]+, found:? [^\n]+\n$/);
  return stderr.trimEnd();
}
