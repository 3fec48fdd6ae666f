// The escaping of JSON strings in WebAssembly's fixed-width SIMD instructions, put together here byte by byte: numbers of
// instructions and the form of a module are those of the WebAssembly core specification, version 2. The module has one
// function and half a megabyte of memory of its own, into which bytes are copied and out of which they are read.

/** Escapes bytes, `MOST_SIMD_BYTES` at most; the result is valid until the next call. */
export type SimdEscape = (bytes: Uint8Array) => Uint8Array;

export const MOST_SIMD_BYTES = 1 << 16;

/** What is used here of an engine's WebAssembly, if it has one. */
type Engine = {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Exports };
};

type Exports = {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Escapes what lies between two places, writes it to a third, and returns where that ends. */
  readonly escape: (from: number, end: number, to: number) => number;
};

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
    const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;
    const { exports } = new Instance(new Module(assemble()));
    const memory = new Uint8Array(exports.memory.buffer);
    memory.set(letters, LETTERS_AT);
    memory.set(hex, HEX_AT);
    return (bytes) => {
      memory.set(bytes, FROM_AT);
      return memory.subarray(TO_AT, exports.escape(FROM_AT, FROM_AT + bytes.length, TO_AT));
    };
  } catch {
    return null;
  }
}

type Code = readonly (number | Code)[];

const [FROM, END, TO, COUNT, LETTER, BLOCK] = [0, 1, 2, 3, 4, 5];
const [I32, V128, VOID] = [0x7f, 0x7b, 0x40];

const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const int = (value: number): Code => [0x41, signed(value)];
const [ADD, SUB, SHIFT_LEFT, SHIFT_RIGHT, AND, OR] = [0x6a, 0x6b, 0x74, 0x76, 0x71, 0x72];
const [AT_LEAST, EQUAL, ZEROS] = [0x4f, 0x46, 0x68];
const advance = (local: number, by: Code): Code => [get(local), by, ADD, set(local)];
// Behind an access stand its alignment and an offset.
const loadByte = (offset: number): Code => [0x2d, 0, unsigned(offset)];
const storeByte = (offset: number): Code => [0x3a, 0, unsigned(offset)];
const storeShort: Code = [0x3b, 0, 0];
const loadBlock: Code = [0xfd, 0x00, 0, 0];
const storeBlock: Code = [0xfd, 0x0b, 0, 0];
const block = (byte: number): Code => [0xfd, 0x0c, Array.from({ length: 16 }, () => byte)];
const [LESS_BYTES, EQUAL_BYTES, OR_BLOCKS, MASK]: readonly Code[] = [
  [0xfd, 0x26],
  [0xfd, 0x23],
  [0xfd, 0x50],
  [0xfd, 0x64],
];
const [EXIT, AGAIN] = [1, 0];

/** Bytes are copied by sixteen, also those behind the first that needs an escape, which are then written over. */
const BODY: Code = [
  [0x02, VOID],
  [0x03, VOID],
  [get(FROM), get(END), AT_LEAST, 0x0d, EXIT],
  [get(FROM), loadBlock, set(BLOCK)],
  [get(TO), get(BLOCK), storeBlock],
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
  0x0b,
];

function assemble(): Uint8Array<ArrayBuffer> {
  const name = (text: string): Code => [text.length, [...Buffer.from(text)]];
  const locals: Code = [2, [2, I32], [1, V128]];
  const body = flatten([locals, BODY]);
  return new Uint8Array(
    flatten([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, [1, 0x60, 3, I32, I32, I32, 1, I32]),
      section(3, [1, 0]),
      section(5, [1, 1, PAGES, PAGES]),
      section(7, [2, name("memory"), 2, 0, name("escape"), 0, 0]),
      section(10, [1, unsigned(body.length), body]),
    ]),
  );
}

function section(id: number, content: Code): Code {
  const bytes = flatten(content);
  return [id, unsigned(bytes.length), bytes];
}

function flatten(code: Code): number[] {
  return code.flatMap((part) => (typeof part === "number" ? part : flatten(part)));
}

/** LEB128, seven bits a byte. */
function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, unsigned(value >>> 7)];
}

/** The same where the highest bit of the last byte is the sign. */
function signed(value: number): Code {
  return value < 64 ? [value] : [(value & 127) | 128, signed(value >> 7)];
}
