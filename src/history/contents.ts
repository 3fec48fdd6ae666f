// Joins the changes of the log with the contents they start from, in order and in batches. What a record says already
// decides here whether its content is worth fetching; what a content says does not.

import type { BlobReader } from "./blobs.ts";
import type { Change, LogCommit, LogEntry } from "./change.ts";
import type { Drop } from "./reasons.ts";
import type { Slabs } from "./slabs.ts";

/** A change with its contents, or with the reason why they were not fetched. */
export type JoinedChange = {
  readonly kind: "change";
  readonly commit: LogCommit;
  readonly change: Change;
  readonly found: Found;
};

export type Joined = Extract<LogEntry, { kind: "commit" }> | JoinedChange;

export type Found = Contents | { readonly drop: Drop };

export type Contents = {
  /** The content before; `null` for a creation. */
  readonly old: Buffer | null;
  /** The change's section, beside it. */
  readonly section: Buffer;
};

export type JoinRules = {
  readonly maxFileBytes: number;
  /** git compares no contents above this, and calls them binary. */
  readonly bigFileBytes: number;
  /** The reason that a record has in itself, if it has one. */
  readonly dropByRecord: (change: Change, commit: LogCommit) => Drop | undefined;
};

const CHANGES_PER_BATCH = 48;
const ENTRIES_PER_BATCH = 256;
// What a batch may hold at most, but for a batch of one.
const BYTES_PER_BATCH = 3 << 20;

/** The log cut into batches that fit into memory side by side. */
export async function* batchesOf(
  pieces: AsyncIterable<readonly LogEntry[]>,
  { maxFileBytes }: JoinRules,
): AsyncGenerator<LogEntry[]> {
  const most = Math.max(1, Math.min(CHANGES_PER_BATCH, Math.floor(BYTES_PER_BATCH / maxFileBytes)));
  let batch: LogEntry[] = [];
  let changes = 0;
  for await (const entries of pieces) {
    for (const entry of entries) {
      batch.push(entry);
      if (entry.kind === "change") changes++;
      if (changes < most && batch.length < ENTRIES_PER_BATCH) continue;
      yield batch;
      batch = [];
      changes = 0;
    }
  }
  if (batch.length > 0) yield batch;
}

/** A batch with what was found; all contents and sections that were kept lie in `slab`. */
export type JoinedBatch = { readonly entries: readonly Joined[]; readonly slab: ArrayBuffer };

/** Every entry of a batch, each change joined with what `reader` has for it. */
export async function joinBatch(
  batch: readonly LogEntry[],
  { reader, slabs }: { readonly reader: BlobReader; readonly slabs: Slabs },
  rules: JoinRules,
): Promise<JoinedBatch> {
  const asked = batch.map((entry) => askFor(entry, rules));
  const sizes = (await reader.sizes(asked.flatMap(({ oids }) => oids))).values();
  const decided = asked.map(({ oids, drop }, i) => {
    const own = oids.map(() => sizes.next().value!);
    return { oids, sizes: own, drop: drop ?? dropBySize(own, batch[i]!, rules) };
  });
  const kept = decided.map(({ drop }, i) => (drop === undefined ? batch[i]! : undefined));
  const fetched = decided.filter(({ drop }) => drop === undefined);
  const request = { oids: fetched.flatMap(({ oids }) => oids), sizes: fetched.flatMap((one) => one.sizes) };
  const sections = kept.map((entry) => (entry?.kind === "change" ? entry.change.section!.length : 0));
  const [contentBytes, sectionBytes] = [sum(request.sizes), sum(sections)];
  const slab = slabs.take(contentBytes + sectionBytes);
  const contents = (
    await reader.contents({ ...request, target: Buffer.from(slab, 0, contentBytes) })
  ).values();
  let at = contentBytes;
  const entries = batch.map((entry, i): Joined => {
    const { drop, oids } = decided[i]!;
    if (entry.kind === "commit") return entry;
    if (drop !== undefined) return { ...entry, found: { drop } };
    const section = Buffer.from(slab, at, entry.change.section!.length);
    at += entry.change.section!.copy(section);
    return { ...entry, found: { old: oids.length === 0 ? null : contents.next().value!, section } };
  });
  return { entries, slab };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

type Asked = { readonly oids: readonly string[]; readonly drop?: Drop | undefined };

// Of what git calls binary only the sizes are asked: they tell binary from too large to look at.
function askFor(entry: LogEntry, rules: JoinRules): Asked {
  if (entry.kind === "commit") return { oids: [] };
  const { change, commit } = entry;
  const drop = rules.dropByRecord(change, commit);
  if (drop !== undefined) return { oids: [], drop };
  return { oids: (change.binary ? [change.oldOid, change.newOid] : [change.oldOid]).filter(exists) };
}

/** Why a change is left out by the sizes of its contents, if it is. */
function dropBySize(sizes: readonly number[], entry: LogEntry, rules: JoinRules): Drop | undefined {
  if (entry.kind === "commit") return undefined;
  if (entry.change.binary) {
    const large = sizes.some((size) => size > rules.bigFileBytes);
    return large ? { reason: "over-size", detail: "content" } : { reason: "binary" };
  }
  const tooLarge = sizes.some((size) => size > rules.maxFileBytes);
  return tooLarge ? { reason: "over-size", detail: "old content" } : undefined;
}

/** False for the id of nothing, all zeros: before a creation, after a deletion. */
export function exists(oid: string): boolean {
  return !/^0+$/.test(oid);
}
