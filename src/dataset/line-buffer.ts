// Gathers records as JSON lines in one growing buffer, so that lines are written, hashed and handed on as bytes and
// none waits in the heap as a string. A text that is at hand as UTF-8 bytes is escaped byte by byte, as JSON.stringify
// would have it, which spares making a string of it and bytes of that. Knows nothing of what a record is.

import { BYTES_PER_ESCAPE, escapeBytes } from "./escape.ts";

export type LineBuffer = {
  /** Appends a record and returns its bytes, the newline included. `texts` are values of it that are already UTF-8. */
  add(record: object, texts?: Texts): number;
  /** Appends a line that is one already, or a part of one. */
  addLine(line: Uint8Array): void;
  /** Appends a text as JSON; it is valid UTF-8. */
  addText(text: Buffer): void;
  /** Bytes that wait. */
  size(): number;
  /** Forgets what waits behind the first `bytes`. */
  cut(bytes: number): void;
  /** What waits, which is then forgotten; valid until the next record. */
  take(): Buffer;
};

/** Valid UTF-8 by key; they take the place of the record's own values. */
export type Texts = Readonly<Record<string, Buffer | null>>;

const FIRST_CAPACITY = 1 << 20;
// The longest UTF-8 form of a UTF-16 code unit.
const BYTES_PER_UNIT = 3;
const QUOTE = 34;

export function createLineBuffer(capacity = FIRST_CAPACITY): LineBuffer {
  let buffer = Buffer.allocUnsafeSlow(capacity);
  let filled = 0;
  const reserve = (bytes: number) => {
    if (filled + bytes <= buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * buffer.length, filled + bytes));
    buffer.copy(larger, 0, 0, filled);
    buffer = larger;
  };
  const addString = (text: string) => {
    reserve(text.length * BYTES_PER_UNIT + 2);
    filled += buffer.write(text, filled, "utf8");
  };
  const addBytes = (bytes: Buffer) => {
    reserve(bytes.length * BYTES_PER_ESCAPE + 2);
    buffer[filled] = QUOTE;
    filled = escapeBytes(bytes, buffer, filled + 1);
    buffer[filled++] = QUOTE;
  };
  return {
    add(record, texts) {
      const before = filled;
      if (texts === undefined) addString(`${JSON.stringify(record)}\n`);
      else addRecord(record, texts, { addString, addBytes });
      return filled - before;
    },
    addLine(line) {
      reserve(line.length);
      buffer.set(line, filled);
      filled += line.length;
    },
    addText: addBytes,
    size: () => filled,
    cut(bytes) {
      filled = Math.min(filled, bytes);
    },
    take() {
      const taken = buffer.subarray(0, filled);
      filled = 0;
      return taken;
    },
  };
}

type Adding = {
  readonly addString: (text: string) => void;
  readonly addBytes: (bytes: Buffer) => void;
};

/** Values between those that are bytes become text together. */
function addRecord(record: object, texts: Texts, { addString, addBytes }: Adding): void {
  let [text, separator] = ["{", ""];
  let waiting: Record<string, unknown> = {};
  const flush = () => {
    const object = JSON.stringify(waiting);
    waiting = {};
    if (object === "{}") return;
    text += separator + object.slice(1, -1);
    separator = ",";
  };
  for (const [key, value] of Object.entries(record)) {
    const bytes = texts[key];
    if (!bytes) {
      waiting[key] = value;
      continue;
    }
    flush();
    addString(`${text}${separator}${JSON.stringify(key)}:`);
    addBytes(bytes);
    [text, separator] = ["", ","];
  }
  flush();
  addString(`${text}}\n`);
}
