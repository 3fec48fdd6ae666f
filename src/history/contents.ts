// Joins the changes of the log with the contents they start from, in order, a batch ahead of the reader: git fetches
// the contents of one batch while the one before is being checked. Sizes decide here; what a content says does not.

import type { BlobReader, BlobRequest } from "./blobs.ts";
import type { Change, LogCommit, LogEntry } from "./change.ts";
import { type Drop, dropByRecord } from "./reasons.ts";

/** A change with its old content (`null` for a creation), or with the reason why it was not fetched. */
export type Joined =
  | Extract<LogEntry, { kind: "commit" }>
  | { readonly kind: "change"; readonly commit: LogCommit; readonly change: Change; readonly found: Found };

export type Found = { readonly old: Buffer | null } | { readonly drop: Drop };

export type JoinLimits = {
  readonly maxFileBytes: number;
  /** git compares no contents above this, and calls them binary. */
  readonly bigFileBytes: number;
  readonly shallow: ReadonlySet<string>;
};

const CHANGES_PER_BATCH = 64;
const ENTRIES_PER_BATCH = 256;
const SIZE_ONLY = -1;

/** Every entry of the log, each change joined with what `reader` has for it. */
export async function* joinContents(
  entries: AsyncIterable<LogEntry>,
  reader: BlobReader,
  limits: JoinLimits,
): AsyncGenerator<Joined> {
  let ready: Promise<Joined[]> = Promise.resolve([]);
  for await (const batch of batchesOf(entries)) {
    const next = ready.then(() => joinBatch(batch, reader, limits));
    // The failure is met when the batch is awaited; until then it must not count as unhandled.
    next.catch(() => {});
    yield* await ready;
    ready = next;
  }
  yield* await ready;
}

async function* batchesOf(entries: AsyncIterable<LogEntry>): AsyncGenerator<LogEntry[]> {
  let batch: LogEntry[] = [];
  let changes = 0;
  for await (const entry of entries) {
    batch.push(entry);
    if (entry.kind === "change") changes++;
    if (changes < CHANGES_PER_BATCH && batch.length < ENTRIES_PER_BATCH) continue;
    yield batch;
    batch = [];
    changes = 0;
  }
  yield batch;
}

async function joinBatch(
  batch: readonly LogEntry[],
  reader: BlobReader,
  limits: JoinLimits,
): Promise<Joined[]> {
  const requests: BlobRequest[] = [];
  const finishers = batch.map((entry) => {
    if (entry.kind === "commit") return () => entry;
    const { commit, change } = entry;
    const drop = dropByRecord(change, commit, limits.shallow);
    const wanted = drop ? [] : requestsOf(change, limits);
    const first = requests.push(...wanted) - wanted.length;
    return (): Joined => {
      const found = drop ? { drop } : decide(change, blobs.slice(first, first + wanted.length), limits);
      return { kind: "change", commit, change, found };
    };
  });
  const blobs = await reader.read(requests);
  return finishers.map((finish) => finish());
}

// Of what git calls binary only the sizes are asked: they tell binary from too large to look at.
function requestsOf(change: Change, limits: JoinLimits): BlobRequest[] {
  const oids = change.binary ? [change.oldOid, change.newOid] : [change.oldOid];
  const maxBytes = change.binary ? SIZE_ONLY : limits.maxFileBytes;
  return oids.filter(exists).map((oid) => ({ oid, maxBytes }));
}

function decide(
  change: Change,
  blobs: readonly { size: number; bytes: Buffer | null }[],
  limits: JoinLimits,
): Found {
  if (change.binary) {
    const large = blobs.some(({ size }) => size > limits.bigFileBytes);
    return { drop: large ? { reason: "over-size", detail: "content" } : { reason: "binary" } };
  }
  const [old] = blobs;
  if (old === undefined) return { old: null };
  return old.bytes === null ? { drop: { reason: "over-size", detail: "old content" } } : { old: old.bytes };
}

/** False for the id of nothing, all zeros: before a creation, after a deletion. */
export function exists(oid: string): boolean {
  return !/^0+$/.test(oid);
}
