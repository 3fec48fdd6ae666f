// Escapes UTF-8 bytes for a JSON string as JSON.stringify would have it, without making a string of them: sixteen bytes
// at a time in a few WebAssembly instructions where the engine and the processor have them (escape-simd.ts), else four
// at a time here. Both give the same bytes. Knows nothing of records.

import { MOST_SIMD_BYTES, openSimd, type SimdEscape } from "./escape-simd.ts";

/** The most bytes that one byte becomes. */
export const BYTES_PER_ESCAPE = 6;

const [QUOTE, BACKSLASH] = [34, 92];
const LETTER_U = "u".charCodeAt(0);
const HEX = Buffer.from("0123456789abcdef");

/** What stands behind the backslash for a byte: 0 for none, `u` for those that have no letter. */
const LETTERS = new Uint8Array(256);
LETTERS.fill(LETTER_U, 0, 32);
for (const [code, letter] of [
  [8, "b"],
  [9, "t"],
  [10, "n"],
  [12, "f"],
  [13, "r"],
] as const) {
  LETTERS[code] = letter.charCodeAt(0);
}
for (const code of [QUOTE, BACKSLASH]) LETTERS[code] = code;

// Less is not worth two copies.
const LEAST_SIMD_BYTES = 64;

/** `undefined` until it is first wanted, `null` where there is none. */
let simd: SimdEscape | null | undefined;

/** Writes `bytes` to `target` from `at` on, which has room for the longest case, and returns where they end there. */
export function escapeBytes(bytes: Buffer, target: Buffer, at: number): number {
  if (bytes.length < LEAST_SIMD_BYTES) return escapeWords(bytes, target, at);
  if (simd === undefined) simd = openSimd(LETTERS, HEX);
  if (simd === null) return escapeWords(bytes, target, at);
  let end = at;
  for (let from = 0; from < bytes.length; from += MOST_SIMD_BYTES) {
    const escaped = simd(bytes.subarray(from, from + MOST_SIMD_BYTES));
    target.set(escaped, end);
    end += escaped.length;
  }
  return end;
}

/** The same in plain code. */
export function escapeWords(bytes: Buffer, target: Buffer, at: number): number {
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
  const letter = LETTERS[byte]!;
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
