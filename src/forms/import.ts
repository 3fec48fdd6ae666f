// Makes a dataset of our own from a folder in another form, such as one of 2022: its records proven and counted, its
// splits kept, or made by the order of its commits where it has none.

import { createHash } from "node:crypto";
import { lstatSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { UserError } from "../base/errors.ts";
import type { Example, Split } from "../dataset/example.ts";
import { createDuplicateCheck, splitByTime } from "../dataset/split.ts";
import { createDatasetWriter, type DatasetManifest, type DatasetWriter } from "../dataset/store.ts";
import type { FormRecord } from "./form.ts";
import { detectForm, readForm } from "./read.ts";

export type ImportEvent = { readonly type: "progress"; readonly done: number };

const PER_EVENT = 200;

/** Reads `paths.form` twice, first for its commits, and writes `paths.dataset`. */
export async function* importForm(
  paths: { readonly form: string; readonly dataset: string },
  signal?: AbortSignal,
): AsyncGenerator<ImportEvent, DatasetManifest> {
  const sideOf = await divide(paths.form, signal);
  const writer = createDatasetWriter(paths.dataset);
  const count = createCounters();
  try {
    const isDuplicate = createDuplicateCheck();
    let done = 0;
    for await (const record of readForm(paths.form)) {
      const placed = place(record, sideOf, isDuplicate);
      count.take(placed);
      store(writer, placed);
      if (++done % PER_EVENT !== 0) continue;
      signal?.throwIfAborted();
      yield { type: "progress", done };
    }
    requireBoth(paths.form, count.totals());
    const form = detectForm(paths.form);
    const created = {
      repository: basename(resolve(paths.form)),
      form,
      fingerprint: fingerprintOf(paths.form),
    };
    return writer.finish({ counters: count.totals(), options: { form }, created });
  } finally {
    writer.abort();
  }
}

/** Changes when a folder's files do: a hash of names, sizes and times, two levels deep, not of contents. */
export function fingerprintOf(folder: string): string {
  const hash = createHash("sha256");
  const take = (path: string, depth: number) => {
    for (const name of readdirSync(path).sort()) {
      const stat = lstatSync(join(path, name), { throwIfNoEntry: false });
      hash.update(`${depth}\0${name}\0${stat?.size}\0${stat?.mtimeMs}\0`);
      if (stat?.isDirectory() && depth > 0) take(join(path, name), depth - 1);
    }
  };
  take(folder, 1);
  return hash.digest("hex");
}

type Side = (example: Example) => Split;

/** The side of each commit whose record does not say its own. */
async function divide(folder: string, signal: AbortSignal | undefined): Promise<Side> {
  const commits = new Set<string>();
  let read = 0;
  for await (const record of readForm(folder)) {
    if (record.type === "example" && record.split === null) commits.add(record.example.commit);
    if (++read % PER_EVENT === 0) signal?.throwIfAborted();
  }
  const sides = splitByTime([...commits]);
  return ({ commit }) => sides.get(commit) ?? "train";
}

type Placed =
  | { readonly type: "example"; readonly split: Split; readonly example: Example }
  | Extract<FormRecord, { type: "dropped" }>;

function place(
  record: FormRecord,
  sideOf: Side,
  isDuplicate: ReturnType<typeof createDuplicateCheck>,
): Placed {
  if (record.type === "dropped") return record;
  const { example } = record;
  const split = record.split ?? sideOf(example);
  const detail = isDuplicate(example, split);
  if (detail === undefined) return { type: "example", split, example };
  const { commit, path } = example;
  return { type: "dropped", dropped: { commit, path, reason: "duplicate", detail } };
}

function store(writer: DatasetWriter, placed: Placed): void {
  if (placed.type === "example") writer.write(placed.split, placed.example);
  else writer.drop(placed.dropped);
}

type Counters = { take(placed: Placed): void; totals(): Record<string, number> };

function createCounters(): Counters {
  const commits = new Set<string>();
  const dropped: Record<string, number> = {};
  let examples = 0;
  let records = 0;
  return {
    take: (placed) => {
      records++;
      commits.add(placed.type === "example" ? placed.example.commit : placed.dropped.commit);
      if (placed.type === "example") examples++;
      else dropped[placed.dropped.reason] = (dropped[placed.dropped.reason] ?? 0) + 1;
    },
    totals: () => ({ commits: commits.size, merges: 0, records, examples, ...dropped }),
  };
}

function requireBoth(folder: string, counters: Record<string, number>): void {
  if ((counters["examples"] ?? 0) > 0) return;
  const { commits: _c, merges: _m, records = 0, examples: _e, ...reasons } = counters;
  const words = Object.entries(reasons).map(([reason, count]) => `${count} ${reason}`);
  throw new UserError(
    `Expected records that can be trained on in ${folder}, found ${records === 0 ? "none" : `${records} with none that can (${words.join(", ")})`}; see "Forms of 2022" in docs/formats.md`,
  );
}
