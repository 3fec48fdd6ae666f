// What a change is recognised by when a history is divided: small, plain data that costs far less to keep and compare
// than the change itself. A function of the example alone, so it may be computed anywhere and kept between runs.

import type { Example } from "./example.ts";
import { joinKeys, type Key, keyOf, keyOfBytes } from "./hash.ts";
import { isTelling, type LineRange, withoutSpace } from "./known.ts";
import { createSigner, eachChangedLine } from "./near.ts";

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

/** `diff` is that of the example, for who has its bytes at hand. */
export function fingerprintOf(example: Example, diff: Buffer = Buffer.from(example.diff)): Fingerprint {
  const body = example.diff.indexOf("\n@@ ");
  const header = body < 0 ? example.diff : example.diff.slice(0, body);
  const { lines, inverse, near, added } = printLines(diff);
  const reverted = REVERTED.exec(example.message)?.[1];
  return {
    commit: printKey(keyOf(example.commit)),
    change: printKey(joinKeys(keyOf(example.path), keyOf(INDEX.exec(header)?.[1] ?? example.diff))),
    lines,
    // To delete a file that came in long ago takes nothing back.
    inverse: DELETED.test(header) ? "" : inverse,
    near,
    added,
    reverts: reverted === undefined ? "" : printKey(keyOf(reverted)),
  };
}

/** What the changed lines say, all in one pass. */
function printLines(diff: Buffer): Pick<Fingerprint, "lines" | "inverse" | "near" | "added"> {
  const sides = { "+": NO_LINES, "-": NO_LINES };
  const telling = new Set<number>();
  let count = 0;
  eachChangedLine(diff, (sign, start, end) => {
    const line = { start, end };
    const core = withoutSpace(diff, line);
    const key = keyOfBytes(diff, core.start, core.end);
    // Where white space stands counts as well.
    const space = keyOfSpace(diff, line, core);
    sides[sign] = joinKeys(joinKeys(sides[sign], space), key);
    if (sign === "+" && isTelling(diff, core)) telling.add(key[0]);
    signer.add(sign, diff, core);
    count++;
  });
  return {
    lines: count === 0 ? "" : printKey(joinKeys(sides["-"], sides["+"])),
    inverse: count === 0 ? "" : printKey(joinKeys(sides["+"], sides["-"])),
    near: printBytes(signer.take()),
    added: printBytes(new Uint8Array(Uint32Array.from(telling).buffer)),
  };
}

const signer = createSigner();
const NO_LINES: Key = [0, 0];

/** The key of the white space in front of and behind a line's core. */
function keyOfSpace(diff: Buffer, line: LineRange, core: LineRange): Key {
  const before = keyOfBytes(diff, line.start, core.start);
  return core.end === line.end ? before : joinKeys(before, keyOfBytes(diff, core.end, line.end));
}

const lanes = Buffer.alloc(8);

function printKey([high, low]: Key): string {
  lanes.writeUInt32BE(high, 0);
  lanes.writeUInt32BE(low, 4);
  return lanes.toString("hex");
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
