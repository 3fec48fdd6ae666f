// Gathers records as JSON lines in one growing buffer, so that lines are written, hashed and handed on as bytes and
// none waits in the heap as a string. A text that is at hand as UTF-8 bytes is escaped byte by byte, as JSON.stringify
// would have it, which spares making a string of it and bytes of that. Knows nothing of what a record is.

export type LineBuffer = {
  /** Appends a record and returns its bytes, the newline included. `texts` are values of it that are already UTF-8. */
  add(record: object, texts?: Texts): number;
  /** Appends a line that is one already. */
  addLine(line: Uint8Array): void;
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
// The longest UTF-8 form of a UTF-16 code unit, and the longest escape of a byte.
const BYTES_PER_UNIT = 3;
const BYTES_PER_ESCAPE = 6;
const [NEWLINE, QUOTE, BACKSLASH, CLOSE] = [10, 34, 92, 125];

export function createLineBuffer(capacity = FIRST_CAPACITY): LineBuffer {
  let buffer = Buffer.allocUnsafeSlow(capacity);
  let filled = 0;
  const reserve = (bytes: number) => {
    if (filled + bytes <= buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * buffer.length, filled + bytes));
    buffer.copy(larger, 0, 0, filled);
    buffer = larger;
  };
  const addText = (text: string) => {
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
    add(record, texts = {}) {
      const before = filled;
      let opening = "{";
      for (const [key, value] of Object.entries(record)) {
        const bytes = texts[key];
        const head = `${opening}${JSON.stringify(key)}:`;
        addText(bytes ? head : head + JSON.stringify(value));
        if (bytes) addBytes(bytes);
        opening = ",";
      }
      if (opening === "{") addText(opening);
      reserve(2);
      buffer[filled++] = CLOSE;
      buffer[filled++] = NEWLINE;
      return filled - before;
    },
    addLine(line) {
      reserve(line.length);
      buffer.set(line, filled);
      filled += line.length;
    },
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

/** What stands behind the backslash for a byte: 0 for none, `u` for those that have no letter. */
const ESCAPES = new Uint8Array(256);
ESCAPES.fill("u".charCodeAt(0), 0, 32);
for (const [code, letter] of [
  [8, "b"],
  [9, "t"],
  [10, "n"],
  [12, "f"],
  [13, "r"],
] as const) {
  ESCAPES[code] = letter.charCodeAt(0);
}
for (const code of [QUOTE, BACKSLASH]) ESCAPES[code] = code;

const HEX = Buffer.from("0123456789abcdef");

/** Writes `bytes` to `target` from `at` on and returns where they end there. */
function escapeBytes(bytes: Buffer, target: Buffer, at: number): number {
  let end = at;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    const letter = ESCAPES[byte]!;
    if (letter === 0) {
      target[end++] = byte;
      continue;
    }
    target[end++] = BACKSLASH;
    target[end++] = letter;
    if (letter !== 0x75) continue;
    target[end++] = 0x30;
    target[end++] = 0x30;
    target[end++] = HEX[byte >> 4]!;
    target[end++] = HEX[byte & 15]!;
  }
  return end;
}
