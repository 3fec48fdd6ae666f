// Judges one changed file: an example whose answer was applied and compared with git's own new content, or the one
// reason why it is none. A pure function of the record, its old content and the filter: it may run in any thread.

import { isAscii, isUtf8 } from "node:buffer";
import { blobName } from "../dataset/blob.ts";
import type { Example } from "../dataset/example.ts";
import { checkRoundTrip } from "../dataset/roundtrip.ts";
import type { Filter } from "../filters/filter.ts";
import type { CommitFacts } from "../filters/verdict.ts";
import { repairHeadings } from "./heading.ts";
import type { Drop } from "./reasons.ts";

/** What is judged of a commit: its facts, and where it stands. */
export type JudgedCommit = CommitFacts & { readonly parent: string | null };

/** A record that its own facts say nothing against, with its contents. */
export type Case = {
  readonly commit: JudgedCommit;
  readonly path: string;
  readonly oldOid: string;
  /** Id of the content that the commit has, `null` where it deletes the file. */
  readonly newOid: string | null;
  /** The content before, `null` for a creation. */
  readonly old: Buffer | null;
  /** Whether that is known to be the content that its id names. */
  readonly isProved: boolean;
  readonly section: Buffer;
};

/** An example with the bytes that its texts were decoded from, or the reason why it is none; either way with the content
 * that the commit has, where it was proved: valid until the next one is judged. */
export type Outcome = (
  | { readonly example: Example; readonly texts: { readonly old: Buffer | null; readonly diff: Buffer } }
  | { readonly drop: Drop }
) & { readonly after?: Buffer | null };

/** What becomes of a record. */
export function judge(one: Case, filter: Filter): Outcome {
  const { commit, path, oldOid, newOid, old, section } = one;
  if (old?.subarray(0, BINARY_LOOK).includes(0)) return { drop: { reason: "binary" } };
  if (old !== null && !isUtf8(old)) return { drop: { reason: "undecodable", detail: "old content" } };
  const text = isUtf8(section) ? section : repairHeadings(section);
  if (text !== section && !isUtf8(text)) return { drop: { reason: "undecodable", detail: "diff" } };
  const diff = decode(text);
  const example: Example = {
    message: commit.message,
    path,
    old: old === null ? null : decode(old),
    diff,
    commit: commit.hash,
    parent: commit.parent,
    time: commit.time,
    author: commit.author,
    weight: filter.weigh(commit),
  };
  const algorithm = oldOid.length === 64 ? "sha256" : "sha1";
  // The diff alone does not prove it: git made it of the same object, whatever that holds.
  if (old !== null && !one.isProved && blobName(old, algorithm) !== oldOid) {
    return {
      drop: { reason: "round-trip", detail: "blob: the old content is not the one that the commit names" },
    };
  }
  const result = checkRoundTrip(example, newOid === null ? null : { oid: newOid, algorithm });
  if (!result.ok) return { drop: { reason: "round-trip", detail: result.reason } };
  if (!hasTrueHeadings(example)) return { drop: { reason: "round-trip", detail: "a heading of no line" } };
  const facts = { path, old: example.old, diff, oldOid, newOid: newOid ?? NOTHING.slice(0, oldOid.length) };
  const drop = filter.byContent(commit, facts);
  const { after } = result.value;
  return drop === undefined ? { example, texts: { old, diff: text }, after } : { drop, after };
}

/** Whether what stands behind a hunk's ranges is the beginning of a line before: what is applied does not prove it. */
function hasTrueHeadings({ old, diff }: Pick<Example, "old" | "diff">): boolean {
  // In a hunk each line begins with a sign, so that no other one does as these do.
  for (let at = diff.indexOf(RANGES); at >= 0; at = diff.indexOf(RANGES, at + 1)) {
    const start = diff.indexOf(" @@", at) + 4;
    const end = diff.indexOf("\n", at + 1);
    if (start >= end) continue;
    const heading = diff.slice(start, end);
    if (old === null || !(old.startsWith(heading) || old.includes(`\n${heading}`))) return false;
  }
  return true;
}

const RANGES = "\n@@ -";

/** Text of valid UTF-8. Most of it is ASCII, which is found and copied faster than it is decoded. */
function decode(bytes: Buffer): string {
  return bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
}

// Where git looks for a NUL to tell binary from text (buffer_is_binary in xdiff-interface.c).
const BINARY_LOOK = 8000;
const NOTHING = "0".repeat(64);
