// Turns commits into entries: each changed file, oldest commit first, ends as the line of an example or under one
// named reason. Reads and judges, several batches at a time; writes nothing, and does not choose the commits.

import type { Example } from "../dataset/example.ts";
import type { RepositoryRules } from "../filters/options.ts";
import { createRecordFilter, type RecordFilter } from "../filters/record.ts";
import type { CommitFacts } from "../filters/verdict.ts";
import { openBlobs } from "./blobs.ts";
import type { Change, LogCommit, LogEntry } from "./change.ts";
import {
  batchesOf,
  createJoiner,
  exists,
  type Joined,
  type JoinedBatch,
  type Joiner,
  type JoinRules,
} from "./contents.ts";
import { streamsFor } from "./deal.ts";
import type { CommitEntry, DroppedEntry, Entry } from "./entry.ts";
import type { JudgedCommit } from "./judge.ts";
import { type EarlyThreads, type Judges, openJudges } from "./judging.ts";
import { readLog } from "./log.ts";
import { type HistoryOptions, logOptionsOf, selectionOf } from "./options.ts";
import { type Commit, listCommits } from "./order.ts";
import { type DropReason, dropByRecord } from "./reasons.ts";
import type { AskedCase, JudgedBatch } from "./request.ts";
import { readRules } from "./rules.ts";
import { createSections, type Sections } from "./sections.ts";
import { explainFailure, openShadow, type Shadow } from "./shadow.ts";
import { createSlabs } from "./slabs.ts";
import { describeDamage } from "./surprise.ts";

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
  readonly commits: readonly Commit[];
  readonly options: HistoryOptions;
  readonly rules: RepositoryRules;
  /** Threads that judge, if some were started already. */
  readonly early?: EarlyThreads | undefined;
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
    const { selected: commits } = await listCommits(shadow, selectionOf(options), signal);
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
  { shadow, commits, options, rules, early }: Harvest,
  signal?: AbortSignal,
): AsyncGenerator<readonly Entry[], void> {
  const slabs = createSlabs();
  const byRecord = joinRules(options, shadow, createRecordFilter(options, rules));
  const reader = openBlobs(shadow, signal);
  const judges = openJudges({
    source: { options, rules },
    slabs,
    commits: commits.length,
    jobs: options.jobs,
    early,
  });
  const sections = createSections();
  const log = {
    ...logOptionsOf(options, signal),
    streams: streamsFor(commits.length, judges.width),
    sections,
  };
  const join = createJoiner({ reader, slabs, kept: judges.kept }, byRecord);
  const work = inOrder(join, (joined) => judgeBatch(joined, { join, judges }));
  const pending: Promise<EntryBatch>[] = [];
  const hashes = commits.map(({ hash }) => hash);
  const seen = commitCheck(commits);
  const finish = async function* () {
    const { entries, lines } = await pending.shift()!;
    yield entries;
    for (const { buffer } of lines) slabs.give(buffer as ArrayBuffer);
  };
  try {
    for await (const batch of batchesOf(readLog(shadow, hashes, log), byRecord)) {
      for (const entry of batch) if (entry.kind === "commit") seen.next(entry.commit);
      const result = work(batch).finally(() => freeSections(batch, sections));
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

function freeSections(batch: readonly LogEntry[], sections: Sections): void {
  for (const entry of batch)
    if (entry.kind === "change" && entry.change.section) sections.free(entry.change.section);
}

/** Begins the second step of each batch after that of the one before, however long the first ones take: what one batch
 * brings is kept for the next. */
function inOrder<A, B, C>(first: (batch: A) => Promise<B>, second: (joined: B) => Promise<C>) {
  let turn: Promise<unknown> = Promise.resolve();
  return (batch: A): Promise<C> => {
    const begun = first(batch);
    begun.catch(() => {});
    const joined = turn.then(() => begun);
    turn = joined.catch(() => {});
    return joined.then(second);
  };
}

/** That git shows the commits that were asked for, in that order, and with the parents that it listed: by these they are
 * divided. */
function commitCheck(commits: readonly Commit[]) {
  let count = 0;
  return {
    next({ hash, parents }: LogCommit) {
      const listed = commits[count];
      if (hash !== listed?.hash) {
        throw describeDamage(`commit ${listed?.hash ?? "after the last one, none,"} from git log`, hash);
      }
      if (parents.length !== listed.parents || (parents[0] ?? null) !== listed.parent) {
        throw describeDamage(
          `the parents of ${hash} as git rev-list has them, ${listed.parents} from ${listed.parent}`,
          `${parents.length} from ${parents[0] ?? null} in git log`,
        );
      }
      count++;
    },
    end() {
      if (count < commits.length) throw describeDamage(`${commits.length} commits from git log`, `${count}`);
    },
  };
}

function joinRules(options: HistoryOptions, shadow: Shadow, filter: RecordFilter): JoinRules {
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

/** `lines` are the buffers in which the lines of entries lie. */
type EntryBatch = { readonly entries: readonly Entry[]; readonly lines: readonly Uint8Array[] };

type Judging = { readonly join: Joiner; readonly judges: Judges };

async function judgeBatch({ entries, slab }: JoinedBatch, judging: Judging): Promise<EntryBatch> {
  const batch = await judging.judges.judge(toCases(entries), slab);
  const found = toEntries(entries, batch);
  const lost = entries.filter((_, i) => found[i] === undefined);
  const whole = lost.length === 0 ? NOTHING : await judgeBatch(await judging.join(lost, true), judging);
  const rest = whole.entries.values();
  return {
    entries: found.map((entry) => entry ?? rest.next().value!),
    lines: [batch.lines, ...whole.lines],
  };
}

const NOTHING: EntryBatch = { entries: [], lines: [] };

/** The entries in their order, `undefined` where an old content was lost. */
function toEntries(joined: readonly Joined[], { lines, outcomes }: JudgedBatch): (Entry | undefined)[] {
  let judged = 0;
  let at = 0;
  return joined.map((entry) => {
    const { hash, parents } = entry.commit;
    if (entry.kind === "commit") {
      return { type: "commit", commit: hash, merge: parents.length > 1, records: entry.changes };
    }
    const path = entry.change.oldPath.toString("utf8");
    const outcome = "drop" in entry.found ? entry.found : outcomes[judged++]!;
    if (outcome === "lost") return undefined;
    if ("drop" in outcome) return { type: "dropped", commit: hash, path, ...outcome.drop };
    const line = lines.subarray(at, at + outcome.size);
    at += outcome.size;
    const oldOid = exists(entry.change.oldOid) ? entry.change.oldOid : null;
    return { type: "line", commit: hash, path, oldOid, print: outcome.print, line };
  });
}

/** The records that must be looked at. Those of one commit share its facts. */
function toCases(joined: readonly Joined[]): AskedCase[] {
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
