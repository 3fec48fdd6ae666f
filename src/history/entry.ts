// What was read of a history, entry by entry, and its form in a journal: one JSON line for each entry, and below that
// of an example the example's own line without its old content, which git has. Lines of examples pass through as bytes
// and are never parsed here.

import type { Fingerprint } from "../dataset/fingerprint.ts";
import type { LineBuffer } from "../dataset/line-buffer.ts";
import type { DropReason } from "./reasons.ts";

/** A commit, followed by as many entries as it has records. */
export type CommitEntry = {
  readonly type: "commit";
  readonly commit: string;
  readonly merge: boolean;
  readonly records: number;
};

/** A record that is no example. `path` is the one before the change. */
export type DroppedEntry = {
  readonly type: "dropped";
  readonly commit: string;
  readonly path: string;
  readonly reason: DropReason;
  readonly detail?: string;
};

/** A record that is an example: its JSON line, newline included, and what the division compares of it. */
export type LineEntry = {
  readonly type: "line";
  readonly commit: string;
  readonly path: string;
  /** Id of the content before, `null` for a creation. */
  readonly oldOid: string | null;
  readonly print: Fingerprint;
  readonly line: Uint8Array;
};

export type Entry = CommitEntry | DroppedEntry | LineEntry;

/** Appends an entry to `buffer`, of an example without its old content. */
export function encodeEntry(entry: Entry, buffer: LineBuffer): void {
  if (entry.type !== "line") {
    buffer.add(entry);
    return;
  }
  const { line, ...rest } = entry;
  buffer.add(rest);
  const { before, behind } = aroundOld(line);
  buffer.addLine(before);
  buffer.addLine(rest.oldOid === null ? NULL : EMPTY);
  buffer.addLine(behind);
}

const OLD = Buffer.from('"old":');
const DIFF = Buffer.from(',"diff":');
const NULL = Buffer.from("null");
const EMPTY = Buffer.from('""');

/** An example's line in front of its old content and behind it. Quotes in its strings are escaped, so that a key is
 * found as it is. */
export function aroundOld(line: Uint8Array): { readonly before: Buffer; readonly behind: Buffer } {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const [old, diff] = [bytes.indexOf(OLD), bytes.lastIndexOf(DIFF)];
  if (old < 0 || diff < old) throw new Error("Expected the line of an example, found another");
  return { before: bytes.subarray(0, old + OLD.length), behind: bytes.subarray(diff) };
}

const NEWLINE = 10;

/** The entries that `bytes` hold, examples without their old content; throws when they are not what `encodeEntry` wrote. */
export function decodeEntries(bytes: Buffer): Entry[] {
  const entries: Entry[] = [];
  let start = 0;
  const nextLine = () => {
    const end = bytes.indexOf(NEWLINE, start) + 1;
    if (end === 0) throw new Error("Expected a whole line in a journal, found its end");
    const line = bytes.subarray(start, end);
    start = end;
    return line;
  };
  while (start < bytes.length) {
    const entry = JSON.parse(nextLine().toString("utf8")) as Entry;
    entries.push(entry.type === "line" ? { ...entry, line: nextLine() } : entry);
  }
  return entries;
}
