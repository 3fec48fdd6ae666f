// Turns commits into entries: each changed file, oldest commit first, ends as the line of an example or under one
// named reason. Reads and judges, several batches at a time; writes nothing, and does not choose the commits.

import type { Example } from "../dataset/example.ts";
import { type CommitFacts, createFilter, type Filter, type RepositoryRules } from "../filters/filter.ts";
import { openBlobs } from "./blobs.ts";
import type { Change, LogCommit, LogEntry } from "./change.ts";
import {
  batchesOf,
  createJoiner,
  exists,
  type Joined,
  type JoinedBatch,
  type JoinRules,
} from "./contents.ts";
import { streamsFor } from "./deal.ts";
import type { CommitEntry, DroppedEntry, Entry } from "./entry.ts";
import type { Case, JudgedCommit } from "./judge.ts";
import { type Judges, openJudges } from "./judging.ts";
import { readLog } from "./log.ts";
import { type HistoryOptions, logOptionsOf, selectionOf } from "./options.ts";
import { listCommits } from "./order.ts";
import { type DropReason, dropByRecord } from "./reasons.ts";
import { readRules } from "./rules.ts";
import { explainFailure, openShadow, type Shadow } from "./shadow.ts";
import { createSlabs } from "./slabs.ts";

/** What a harvest of whole examples yields. */
export type HarvestEvent =
  | CommitEntry
  | DroppedEntry
  | { readonly type: "example"; readonly example: Example };

/** `records` is `examples` and all of `dropped` together; commits without changes have no records. */
export type HarvestResult = {
  readonly commits: number;
  readonly merges: number;
  readonly records: number;
  readonly examples: number;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
};

export type Harvest = {
  readonly shadow: Shadow;
  /** In the order in which they are to be read. */
  readonly commits: readonly string[];
  readonly options: HistoryOptions;
  readonly rules: RepositoryRules;
};

/** Yields every record of the repository in or above `repository`, oldest first, and returns the counts; throws a
 * `UserError` for a repository that cannot be read. */
export async function* harvest(
  repository: string,
  options: HistoryOptions,
  signal?: AbortSignal,
): AsyncGenerator<HarvestEvent, HarvestResult> {
  const shadow = await openShadow(repository, signal);
  const counter = createCounter();
  try {
    const { selected } = await listCommits(shadow, selectionOf(options), signal);
    const commits = selected.map(({ hash }) => hash);
    const rules = await readRules(shadow.top, shadow, signal);
    for await (const entries of harvestCommits({ shadow, commits, options, rules }, signal)) {
      for (const entry of entries) {
        counter.count(entry);
        yield entry.type === "line" ? { type: "example", example: parseLine(entry.line) } : entry;
      }
    }
  } catch (error) {
    throw await explainFailure(error, { repository, shadow, signal });
  } finally {
    shadow.dispose();
  }
  return counter.result();
}

function parseLine(line: Uint8Array): Example {
  return JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("utf8")) as Example;
}

/** Batches that are being read while others are judged. */
const BATCHES_READ = 2;

/** The entries of commits, in the order given, through a shadow that the caller made and disposes of. The lines among
 * them are valid until the next ones are taken. */
export async function* harvestCommits(
  { shadow, commits, options, rules }: Harvest,
  signal?: AbortSignal,
): AsyncGenerator<readonly Entry[], void> {
  const slabs = createSlabs();
  const reader = openBlobs(shadow, signal);
  const judges = openJudges({
    source: { options, rules },
    slabs,
    commits: commits.length,
    jobs: options.jobs,
  });
  const log = { ...logOptionsOf(options, signal), streams: streamsFor(commits.length, judges.width) };
  const byRecord = joinRules(options, shadow, createFilter(options, rules));
  const join = createJoiner({ reader, slabs }, byRecord);
  const work = async (batch: readonly LogEntry[]) => judgeBatch(await join(batch), judges);
  const pending: Promise<EntryBatch>[] = [];
  const seen = commitCheck(commits);
  const finish = async function* () {
    const { entries, lines } = await pending.shift()!;
    yield entries;
    slabs.give(lines.buffer as ArrayBuffer);
  };
  try {
    for await (const batch of batchesOf(readLog(shadow, commits, log), byRecord)) {
      for (const entry of batch) if (entry.kind === "commit") seen.next(entry.commit.hash);
      const result = work(batch);
      // A failure is met when its turn comes; until then it must not count as unhandled.
      result.catch(() => {});
      pending.push(result);
      if (pending.length === BATCHES_READ + judges.width) yield* finish();
    }
    while (pending.length > 0) yield* finish();
    seen.end();
  } finally {
    await Promise.all([reader.dispose(), judges.dispose()]);
  }
}

/** That git shows the commits that were asked for, and in that order. */
function commitCheck(commits: readonly string[]) {
  let count = 0;
  return {
    next(hash: string) {
      if (hash !== commits[count])
        throw new Error(`Expected commit ${commits[count]} from git log, found ${hash}`);
      count++;
    },
    end() {
      if (count < commits.length)
        throw new Error(`Expected ${commits.length} commits from git log, found ${count}`);
    },
  };
}

function joinRules(options: HistoryOptions, shadow: Shadow, filter: Filter): JoinRules {
  // Of a commit whose message is text: the rules of the record ask first.
  const facts = new WeakMap<LogCommit, CommitFacts>();
  const byFilter = (change: Change, commit: LogCommit) => {
    if (!facts.has(commit)) facts.set(commit, factsOf(commit));
    return filter.byRecord(facts.get(commit)!, change.oldPath.toString("utf8"));
  };
  return {
    maxFileBytes: options.max_file_bytes,
    bigFileBytes: logOptionsOf(options).bigFileBytes,
    dropByRecord: (change, commit) =>
      dropByRecord(change, commit, shadow.shallow) ?? byFilter(change, commit),
  };
}

/** Of a commit whose message is text: the rules of the record have asked. */
function factsOf(commit: LogCommit): CommitFacts {
  const { hash, message, author, mail, time, parents } = commit;
  return { hash, message: message!, author, mail, time, merge: parents.length > 1 };
}

type EntryBatch = { readonly entries: readonly Entry[]; readonly lines: Uint8Array };

async function judgeBatch({ entries, slab }: JoinedBatch, judges: Judges): Promise<EntryBatch> {
  const { lines, outcomes } = await judges.judge(toCases(entries), slab);
  let judged = 0;
  let at = 0;
  const toEntry = (entry: Joined): Entry => {
    const { hash, parents } = entry.commit;
    if (entry.kind === "commit") {
      return { type: "commit", commit: hash, merge: parents.length > 1, records: entry.changes };
    }
    const path = entry.change.oldPath.toString("utf8");
    const outcome = "drop" in entry.found ? entry.found : outcomes[judged++]!;
    if ("drop" in outcome) return { type: "dropped", commit: hash, path, ...outcome.drop };
    const line = lines.subarray(at, at + outcome.size);
    at += outcome.size;
    const oldOid = exists(entry.change.oldOid) ? entry.change.oldOid : null;
    return { type: "line", commit: hash, path, oldOid, print: outcome.print, line };
  };
  return { entries: entries.map(toEntry), lines };
}

/** The records that must be looked at. Those of one commit share its facts. */
function toCases(joined: readonly Joined[]): Case[] {
  const commits = new Map<LogCommit, JudgedCommit>();
  return joined.flatMap((entry) => {
    if (entry.kind === "commit" || "drop" in entry.found) return [];
    const { commit, change, found } = entry;
    const judged = commits.get(commit) ?? { ...factsOf(commit), parent: commit.parents[0] ?? null };
    commits.set(commit, judged);
    const { oldPath, oldOid, newOid } = change;
    const path = oldPath.toString("utf8");
    return [{ commit: judged, path, oldOid, newOid: exists(newOid) ? newOid : null, ...found }];
  });
}

/** Counts entries as they pass. */
export function createCounter() {
  const dropped: Partial<Record<DropReason, number>> = {};
  const totals = { commits: 0, merges: 0, records: 0, examples: 0, dropped };
  return {
    count(entry: Entry): void {
      if (entry.type === "commit") {
        totals.commits++;
        if (entry.merge) totals.merges++;
        totals.records += entry.records;
      } else if (entry.type === "line") {
        totals.examples++;
      } else {
        dropped[entry.reason] = (dropped[entry.reason] ?? 0) + 1;
      }
    },
    result: (): HarvestResult => totals,
  };
}
