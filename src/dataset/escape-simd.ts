// The escaping of JSON strings in WebAssembly's fixed-width SIMD instructions. The module has half a megabyte of memory of
// its own, into which bytes are copied and out of which they are read.

import {
  type Code,
  get,
  I32,
  int,
  loadBlock,
  openWasm,
  set,
  storeBlock,
  unsigned,
  V128,
  VOID,
  type WasmFunction,
  wide,
} from "../base/wasm.ts";

/** Escapes bytes, `MOST_SIMD_BYTES` at most; the result is valid until the next call. */
export type SimdEscape = (bytes: Uint8Array) => Uint8Array;

export const MOST_SIMD_BYTES = 1 << 16;

// Where things lie in its memory. Sixteen bytes are read and written at once, so both texts have room behind them.
const LETTERS_AT = 0;
const HEX_AT = 256;
const FROM_AT = 1024;
const TO_AT = FROM_AT + MOST_SIMD_BYTES + 1024;
const PAGE_BYTES = 1 << 16;
const PAGES = Math.ceil((TO_AT + 6 * MOST_SIMD_BYTES + 1024) / PAGE_BYTES);

/** `letters` says for each byte what follows the backslash, 0 for nothing and `u` where `hex` digits follow; `null` where
 * the engine or the processor has no such instructions. */
export function openSimd(letters: Uint8Array, hex: Uint8Array): SimdEscape | null {
  try {
    const { memory: buffer, run } = openWasm(ESCAPE);
    const memory = new Uint8Array(buffer);
    memory.set(letters, LETTERS_AT);
    memory.set(hex, HEX_AT);
    return (bytes) => {
      memory.set(bytes, FROM_AT);
      return memory.subarray(TO_AT, run(FROM_AT, FROM_AT + bytes.length, TO_AT));
    };
  } catch {
    return null;
  }
}

const [FROM, END, TO, COUNT, LETTER, BLOCK] = [0, 1, 2, 3, 4, 5];
const [ADD, SUB, SHIFT_LEFT, SHIFT_RIGHT, AND, OR] = [0x6a, 0x6b, 0x74, 0x76, 0x71, 0x72];
const [AT_LEAST, EQUAL, ZEROS] = [0x4f, 0x46, 0x68];
const advance = (local: number, by: Code): Code => [get(local), by, ADD, set(local)];
// Behind an access stand its alignment and an offset.
const loadByte = (offset: number): Code => [0x2d, 0, unsigned(offset)];
const storeByte = (offset: number): Code => [0x3a, 0, unsigned(offset)];
const storeShort: Code = [0x3b, 0, 0];
const block = (byte: number): Code => [wide(0x0c), Array.from({ length: 16 }, () => byte)];
const [LESS_BYTES, EQUAL_BYTES, OR_BLOCKS, MASK] = [0x26, 0x23, 0x50, 0x64].map(wide);
const [EXIT, AGAIN] = [1, 0];

/** Bytes are copied by sixteen, also those behind the first that needs an escape, which are then written over. */
const BODY: Code = [
  [0x02, VOID],
  [0x03, VOID],
  [get(FROM), get(END), AT_LEAST, 0x0d, EXIT],
  [get(FROM), loadBlock(0), set(BLOCK)],
  [get(TO), get(BLOCK), storeBlock(0)],
  // How many stand before the first control character, quote or backslash.
  [get(BLOCK), block(32), LESS_BYTES!],
  [get(BLOCK), block(34), EQUAL_BYTES!, OR_BLOCKS!],
  [get(BLOCK), block(92), EQUAL_BYTES!, OR_BLOCKS!],
  [MASK!, int(1 << 16), OR, ZEROS, set(COUNT)],
  [advance(FROM, get(COUNT)), advance(TO, get(COUNT))],
  [get(COUNT), int(16), EQUAL, 0x0d, AGAIN],
  [get(FROM), get(END), AT_LEAST, 0x0d, EXIT],
  // The backslash and its letter.
  [get(FROM), loadByte(0), set(COUNT)],
  [get(COUNT), loadByte(LETTERS_AT), set(LETTER)],
  [get(TO), get(LETTER), int(8), SHIFT_LEFT, int(92), OR, storeShort],
  [advance(FROM, int(1)), advance(TO, int(2))],
  [get(LETTER), int(117), EQUAL],
  [0x04, VOID],
  [get(TO), int(0x3030), storeShort],
  [get(TO), get(COUNT), int(4), SHIFT_RIGHT, loadByte(HEX_AT), storeByte(2)],
  [get(TO), get(COUNT), int(15), AND, loadByte(HEX_AT), storeByte(3)],
  advance(TO, int(4)),
  0x0b,
  [0x0c, AGAIN],
  0x0b,
  0x0b,
  // What was copied from behind the end does not count.
  [get(TO), get(FROM), get(END), SUB, SUB],
];

/** Escapes what lies between two places, writes it to a third, and returns where that ends. */
const ESCAPE: WasmFunction = {
  ...{ parameters: [I32, I32, I32], results: [I32], body: BODY, pages: PAGES },
  locals: [
    [2, I32],
    [1, V128],
  ],
};
