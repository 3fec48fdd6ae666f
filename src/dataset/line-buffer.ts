// Gathers records as JSON lines in one growing buffer, so that lines are written, hashed and handed on as bytes and
// none waits in the heap as a string. A text that is at hand as UTF-8 bytes is escaped byte by byte, as JSON.stringify
// would have it, which spares making a string of it and bytes of that. Knows nothing of what a record is.

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
// The longest UTF-8 form of a UTF-16 code unit, and the longest escape of a byte.
const BYTES_PER_UNIT = 3;
const BYTES_PER_ESCAPE = 6;
const [QUOTE, BACKSLASH] = [34, 92];

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
    add(record, texts = {}) {
      const before = filled;
      let text = "{";
      let separator = "";
      for (const [key, value] of Object.entries(record)) {
        const bytes = texts[key];
        text += `${separator}${JSON.stringify(key)}:`;
        separator = ",";
        if (!bytes) {
          text += JSON.stringify(value);
          continue;
        }
        addString(text);
        addBytes(bytes);
        text = "";
      }
      addString(`${text}}\n`);
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

const LETTER_U = "u".charCodeAt(0);

/** What stands behind the backslash for a byte: 0 for none, `u` for those that have no letter. */
const ESCAPES = new Uint8Array(256);
ESCAPES.fill(LETTER_U, 0, 32);
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
  const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const to = new DataView(target.buffer, target.byteOffset, target.length);
  const wholeWords = bytes.length - 3;
  let end = at;
  for (let i = 0; i < bytes.length; ) {
    // Most bytes stay as they are: they are copied by four.
    const word = i < wholeWords ? from.getInt32(i, true) : ESCAPED_WORD;
    if (!hasEscape(word)) {
      to.setInt32(end, word, true);
      end += 4;
      i += 4;
      continue;
    }
    for (const stop = Math.min(i + 4, bytes.length); i < stop; i++) end = escapeByte(bytes[i]!, target, end);
  }
  return end;
}

const ESCAPED_WORD = 0;

/** Whether one of four bytes is a control character, a quote or a backslash: where subtracting borrows from a byte's
 * highest bit (Mycroft's test for a zero byte, 1987), it was less than what was subtracted. */
function hasEscape(word: number): boolean {
  const control = word - 0x20202020;
  const quote = (word ^ 0x22222222) - 0x01010101;
  const backslash = (word ^ 0x5c5c5c5c) - 0x01010101;
  return ((control | quote | backslash) & ~word & 0x80808080) !== 0;
}

function escapeByte(byte: number, target: Buffer, at: number): number {
  const letter = ESCAPES[byte]!;
  if (letter === 0) {
    target[at] = byte;
    return at + 1;
  }
  target[at] = BACKSLASH;
  target[at + 1] = letter;
  if (letter !== LETTER_U) return at + 2;
  target[at + 2] = HEX[0]!;
  target[at + 3] = HEX[0]!;
  target[at + 4] = HEX[byte >> 4]!;
  target[at + 5] = HEX[byte & 15]!;
  return at + 6;
}
