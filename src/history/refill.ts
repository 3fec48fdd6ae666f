// Gives the examples of a journal their old contents back, which git has by the ids that the journal holds. Each
// is checked against its id: when it was first read, the round trip had proved it. Knows nothing of journals' files.

import { isUtf8 } from "node:buffer";
import { UserError } from "../base/errors.ts";
import { blobName } from "../dataset/blob.ts";
import { createLineBuffer, type LineBuffer } from "../dataset/line-buffer.ts";
import { type BlobReader, openBlobs } from "./blobs.ts";
import { aroundOld, type Entry, type LineEntry } from "./entry.ts";
import type { Harvest } from "./harvest.ts";
import { createRoom, createSlabs, type Room } from "./slabs.ts";

// Contents of so many entries are in memory at once.
const ENTRIES_AT_ONCE = 64;

/** The entries with whole lines, which are valid until the next ones are taken. */
export async function* refillEntries(
  blocks: Iterable<readonly Entry[]>,
  { shadow, options }: Pick<Harvest, "shadow" | "options">,
  signal?: AbortSignal,
): AsyncGenerator<readonly Entry[], void> {
  let reader: BlobReader | undefined;
  const buffer = createLineBuffer();
  const slabs = createSlabs();
  try {
    for (const block of blocks) {
      for (let start = 0; start < block.length; start += ENTRIES_AT_ONCE) {
        const entries = block.slice(start, start + ENTRIES_AT_ONCE);
        reader ??= openBlobs(shadow, signal);
        const room = createRoom(slabs);
        const contents = await fetchOld(entries, { reader, room }, options.max_file_bytes);
        yield refill(entries, contents, buffer);
        slabs.give(room.slab());
      }
    }
  } finally {
    await reader?.dispose();
  }
}

/** The old contents of those entries that have one, by their ids, until the slab is given back. */
async function fetchOld(
  entries: readonly Entry[],
  { reader, room }: { readonly reader: BlobReader; readonly room: Room },
  most: number,
): Promise<ReadonlyMap<string, Buffer>> {
  const oids = [...new Set(entries.flatMap((entry) => (entry.type === "line" ? (entry.oldOid ?? []) : [])))];
  const answers = await reader.ask(
    oids.map((oid) => ({ oid, most })),
    room,
  );
  return new Map(
    oids.map((oid, i) => {
      const { at, size } = answers[i]!;
      if (at === null) throw refusal(oid);
      return [oid, room.bytes().subarray(at, at + size)];
    }),
  );
}

function refill(
  entries: readonly Entry[],
  contents: ReadonlyMap<string, Buffer>,
  buffer: LineBuffer,
): readonly Entry[] {
  const sizes = entries.map((entry) => {
    const before = buffer.size();
    if (entry.type === "line") addWhole(entry, contents, buffer);
    return buffer.size() - before;
  });
  const lines = buffer.take();
  let at = 0;
  return entries.map((entry, i) => {
    at += sizes[i]!;
    return entry.type === "line" ? { ...entry, line: lines.subarray(at - sizes[i]!, at) } : entry;
  });
}

function addWhole(
  { line, oldOid }: LineEntry,
  contents: ReadonlyMap<string, Buffer>,
  buffer: LineBuffer,
): void {
  if (oldOid === null) {
    buffer.addLine(line);
    return;
  }
  const old = contents.get(oldOid)!;
  if (blobName(old, oldOid.length === 64 ? "sha256" : "sha1") !== oldOid || !isUtf8(old))
    throw refusal(oldOid);
  const { before, behind } = aroundOld(line);
  buffer.addLine(before);
  buffer.addText(old);
  buffer.addLine(behind);
}

function refusal(oid: string): UserError {
  return new UserError(
    `Expected the content ${oid} as it was read before, found another; run "git fsck" in the repository, or remove the dataset's journal`,
  );
}
