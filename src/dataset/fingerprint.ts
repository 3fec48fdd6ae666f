// What a change is recognised by when a history is divided: small, plain data that costs far less to keep and compare
// than the change itself. A function of the example alone, so it may be computed anywhere and kept between runs.

import type { Example } from "./example.ts";
import { createDigest, joinKeys, type Key, keyOf } from "./hash.ts";
import { eachTellingChange } from "./known.ts";
import { eachChangedLine, signatureOf } from "./near.ts";

/** Keys are 16 hex digits; the rest is base64, empty for nothing. About 300 bytes, and 6 for each telling line. */
export type Fingerprint = {
  readonly commit: string;
  /** The file with the ids of its contents before and after. */
  readonly change: string;
  /** Its changed lines, and the same with removed and added exchanged; empty where that would mean nothing. */
  readonly lines: string;
  readonly inverse: string;
  /** What near-duplicates share most of, 128 bytes. */
  readonly near: string;
  /** Added lines that are long enough to tell something, 4 bytes each, little-endian. */
  readonly added: string;
  /** The commit that the message says it reverts. */
  readonly reverts: string;
};

const REVERTED = /^This reverts commit ([0-9a-f]{40}|[0-9a-f]{64})\b/m;
const INDEX = /\nindex ([0-9a-f]+\.\.[0-9a-f]+)/;
const DELETED = /\ndeleted file mode /;

export function fingerprintOf({ message, path, diff, commit }: Example): Fingerprint {
  const body = diff.indexOf("\n@@ ");
  const header = body < 0 ? diff : diff.slice(0, body);
  const { added, removed, count } = changedKeys(diff);
  const telling: number[] = [];
  eachTellingChange(diff, (key) => telling.push(key[0]));
  const reverted = REVERTED.exec(message)?.[1];
  return {
    commit: printKey(keyOf(commit)),
    change: printKey(joinKeys(keyOf(path), keyOf(INDEX.exec(header)?.[1] ?? diff))),
    lines: count === 0 ? "" : printKey(joinKeys(removed, added)),
    // To delete a file that came in long ago takes nothing back.
    inverse: count === 0 || DELETED.test(header) ? "" : printKey(joinKeys(added, removed)),
    near: printBytes(signatureOf(diff)),
    added: printBytes(new Uint8Array(Uint32Array.from(new Set(telling)).buffer)),
    reverts: reverted === undefined ? "" : printKey(keyOf(reverted)),
  };
}

function changedKeys(diff: string): { readonly added: Key; readonly removed: Key; readonly count: number } {
  const added = createDigest();
  const removed = createDigest();
  let count = 0;
  eachChangedLine(diff, (sign, start, end) => {
    (sign === "+" ? added : removed).add(diff, start, end);
    count++;
  });
  return { added: added.key(), removed: removed.key(), count };
}

function printKey(key: Key): string {
  return key.map((lane) => lane.toString(16).padStart(8, "0")).join("");
}

function printBytes(bytes: Uint8Array | undefined): string {
  return bytes === undefined
    ? ""
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** The key that a fingerprint has as text; `undefined` for none. */
export function readKey(text: string): Key | undefined {
  return text === ""
    ? undefined
    : [Number.parseInt(text.slice(0, 8), 16), Number.parseInt(text.slice(8, 16), 16)];
}

/** The bytes that a fingerprint has as text. */
export function readBytes(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}

/** The same as numbers of 32 bits. */
export function readNumbers(text: string): Uint32Array {
  // A copy: what Buffer gives need not start where such numbers may.
  return text === "" ? NONE : new Uint32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
}

const NONE = new Uint32Array(0);
