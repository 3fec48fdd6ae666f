// git's own name of a content: the hash of "blob LENGTH\0" and the bytes (git-hash-object). Knows nothing of examples.

import { createHash } from "node:crypto";

export type Algorithm = "sha1" | "sha256";

/** The object id that git gives to bytes. */
export function blobName(bytes: Uint8Array, algorithm: Algorithm): string {
  return createHash(algorithm).update(headOf(bytes.length)).update(bytes).digest("hex");
}

// The longest UTF-8 form of a UTF-16 code unit, and of what stands in front.
const BYTES_PER_UNIT = 3;
const MOST_HEAD_BYTES = 32;
const FIRST_BYTES = 1 << 18;

let room = Buffer.alloc(0);

/** The same of a text, which is laid out in one buffer that all share: fresh ones for a whole history cost more than the
 * hash. */
export function blobId(text: string, algorithm: Algorithm): string {
  const most = MOST_HEAD_BYTES + BYTES_PER_UNIT * text.length;
  if (room.length < most) room = Buffer.allocUnsafeSlow(Math.max(2 * most, FIRST_BYTES));
  const length = room.write(text, MOST_HEAD_BYTES, "utf8");
  const head = headOf(length);
  const start = MOST_HEAD_BYTES - head.length;
  room.write(head, start, "latin1");
  return createHash(algorithm)
    .update(room.subarray(start, MOST_HEAD_BYTES + length))
    .digest("hex");
}

function headOf(length: number): string {
  return `blob ${length}\0`;
}
