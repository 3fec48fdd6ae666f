// Turns a repository into examples: each changed file of each commit, oldest first, ends as an example whose answer
// was applied and compared with git's own new content, or under one named reason. Writes nothing.

import { isUtf8 } from "node:buffer";
import type { OptionTable, Values } from "../base/options.ts";
import type { Example } from "../dataset/example.ts";
import { checkRoundTrip } from "../dataset/roundtrip.ts";
import { openBlobs } from "./blobs.ts";
import type { LogCommit } from "./change.ts";
import { exists, type Joined, joinContents } from "./contents.ts";
import { repairHeadings } from "./heading.ts";
import { countCommits, type LogOptions, readLog } from "./log.ts";
import { type Drop, type DropReason, dropReasons } from "./reasons.ts";
import { openShadow, type Shadow } from "./shadow.ts";

/** The options of reading a history. */
export const historyOptions = {
  max_file_bytes: {
    type: "bytes",
    default: 65536,
    help: "Leave out changes whose old content or whose diff is larger than this",
    value: "SIZE",
    least: 1,
  },
  max_commits: {
    type: "integer",
    default: null,
    help: "Read only the newest so many commits",
    unset: "all",
    value: "N",
    least: 1,
  },
} as const satisfies OptionTable;

export type HistoryOptions = Values<typeof historyOptions>;

/** What a harvest yields: each record as an example or with the reason why it is none, and now and then its progress. */
export type HarvestEvent =
  | { readonly type: "example"; readonly example: Example }
  | {
      readonly type: "dropped";
      readonly commit: string;
      readonly path: string;
      readonly reason: DropReason;
      readonly detail?: string;
    }
  | {
      readonly type: "progress";
      readonly commits: number;
      readonly total: number;
      readonly examples: number;
    };

/** `records` is `examples` and all of `dropped` together; merges and commits without changes have no records. */
export type HarvestResult = {
  readonly commits: number;
  readonly merges: number;
  readonly records: number;
  readonly examples: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
};

type Totals = {
  commits: number;
  merges: number;
  records: number;
  examples: number;
  dropped: Record<DropReason, number>;
};

// git finds no differences in contents above this, which keeps a huge text file from taking seconds and memory.
const LEAST_BIG_FILE = 1024 * 1024;
const COMMITS_PER_PROGRESS = 100;

/** Yields every record of the repository in or above `repository`, oldest first, and returns the counts; throws a
 * `UserError` for a repository that cannot be read. */
export async function* harvest(
  repository: string,
  options: HistoryOptions,
  signal?: AbortSignal,
): AsyncGenerator<HarvestEvent, HarvestResult> {
  const shadow = await openShadow(repository, signal);
  try {
    return yield* harvestShadow(shadow, options, signal);
  } finally {
    shadow.dispose();
  }
}

/** The same through a shadow that the caller made and disposes of. */
export async function* harvestShadow(
  shadow: Shadow,
  options: HistoryOptions,
  signal?: AbortSignal,
): AsyncGenerator<HarvestEvent, HarvestResult> {
  const log = logOptionsOf(options, signal);
  const total = await countCommits(shadow, log);
  const reader = openBlobs(shadow, signal);
  const totals = startTotals();
  const limits = {
    maxFileBytes: options.max_file_bytes,
    bigFileBytes: log.bigFileBytes,
    shallow: shadow.shallow,
  };
  try {
    for await (const joined of joinContents(readLog(shadow, log), reader, limits)) {
      if (joined.kind === "commit") yield* countCommit(joined.commit, totals, total);
      else yield countOutcome(joined, toExample(joined, shadow.algorithm), totals);
    }
  } finally {
    await reader.dispose();
  }
  if (totals.commits !== total) {
    throw new Error(`Expected ${total} commits from git log, found ${totals.commits}`);
  }
  yield { type: "progress", commits: totals.commits, total, examples: totals.examples };
  return totals;
}

/** How the log is read for these options. */
export function logOptionsOf(options: HistoryOptions, signal?: AbortSignal): LogOptions {
  return {
    maxCommits: options.max_commits,
    maxSectionBytes: options.max_file_bytes,
    bigFileBytes: Math.max(LEAST_BIG_FILE, options.max_file_bytes),
    signal,
  };
}

function startTotals(): Totals {
  const dropped = Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Record<DropReason, number>;
  return { commits: 0, merges: 0, records: 0, examples: 0, dropped };
}

function* countCommit(commit: LogCommit, totals: Totals, total: number): Generator<HarvestEvent> {
  totals.commits++;
  if (commit.parents.length > 1) totals.merges++;
  if (totals.commits % COMMITS_PER_PROGRESS === 0) {
    yield { type: "progress", commits: totals.commits, total, examples: totals.examples };
  }
}

type JoinedChange = Extract<Joined, { kind: "change" }>;
type Outcome = { readonly example: Example } | { readonly drop: Drop };

function countOutcome({ commit, change }: JoinedChange, outcome: Outcome, totals: Totals): HarvestEvent {
  totals.records++;
  if ("example" in outcome) {
    totals.examples++;
    return { type: "example", example: outcome.example };
  }
  totals.dropped[outcome.drop.reason]++;
  return { type: "dropped", commit: commit.hash, path: change.oldPath.toString("utf8"), ...outcome.drop };
}

function toExample({ commit, change, found }: JoinedChange, algorithm: Shadow["algorithm"]): Outcome {
  if ("drop" in found) return found;
  if (found.old !== null && !isUtf8(found.old))
    return { drop: { reason: "undecodable", detail: "old content" } };
  const diff = decodeSection(change.section!);
  if (diff === undefined) return { drop: { reason: "undecodable", detail: "diff" } };
  const example: Example = {
    message: commit.message!,
    path: change.oldPath.toString("utf8"),
    old: found.old === null ? null : found.old.toString("utf8"),
    diff,
    commit: commit.hash,
    parent: commit.parents[0] ?? null,
    time: commit.time,
    author: commit.author,
  };
  const result = checkRoundTrip(example, exists(change.newOid) ? { oid: change.newOid, algorithm } : null);
  return result.ok ? { example } : { drop: { reason: "round-trip", detail: result.reason } };
}

function decodeSection(section: Buffer): string | undefined {
  if (isUtf8(section)) return section.toString("utf8");
  const repaired = repairHeadings(section);
  return isUtf8(repaired) ? repaired.toString("utf8") : undefined;
}
