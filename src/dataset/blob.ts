// git's own name of a content: the hash of "blob LENGTH\0" and the bytes (git-hash-object). Knows nothing of examples.

import crypto from "node:crypto";

export type Algorithm = "sha1" | "sha256";

/** The object id that git gives to bytes. */
export function blobName(bytes: Uint8Array, algorithm: Algorithm): string {
  return crypto.createHash(algorithm).update(headOf(bytes.length)).update(bytes).digest("hex");
}

/** A text in the form of bytes, and the object id that git gives to it. */
export type NamedText = {
  readonly oid: string;
  /** Valid until the next text is named. */
  readonly bytes: Buffer;
};

// The longest UTF-8 form of a UTF-16 code unit, and of what stands in front.
const BYTES_PER_UNIT = 3;
const MOST_HEAD_BYTES = 32;
const FIRST_BYTES = 1 << 18;

let room = Buffer.alloc(0);

/** Names a text, which is laid out in one buffer that all share: fresh ones for a whole history cost more than the hash. */
export function nameText(text: string, algorithm: Algorithm): NamedText {
  const most = MOST_HEAD_BYTES + BYTES_PER_UNIT * text.length;
  if (room.length < most) room = Buffer.allocUnsafeSlow(Math.max(2 * most, FIRST_BYTES));
  const length = room.write(text, MOST_HEAD_BYTES, "utf8");
  const head = headOf(length);
  const start = MOST_HEAD_BYTES - head.length;
  room.write(head, start, "latin1");
  const end = MOST_HEAD_BYTES + length;
  return {
    oid: hashAtOnce(algorithm, room.subarray(start, end)),
    bytes: room.subarray(MOST_HEAD_BYTES, end),
  };
}

/** The object id alone. */
export function blobId(text: string, algorithm: Algorithm): string {
  return nameText(text, algorithm).oid;
}

// Without an object for each hash, which costs as much as the hash of a small file; not there before Node 20.12.
const hashAtOnce: (algorithm: Algorithm, bytes: Uint8Array) => string =
  crypto.hash ?? ((algorithm, bytes) => crypto.createHash(algorithm).update(bytes).digest("hex"));

function headOf(length: number): string {
  return `blob ${length}\0`;
}
