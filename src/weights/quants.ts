// How each storage type of a weight file becomes f32: one row per type, giving the bits that the `gguf` Python
// package gives. Block layouts are those of ggml-common.h (little-endian, as every machine that Node supports
// but one); nothing here knows files or names.

import type { ReadableFile } from "./file.ts";

export type Storage = {
  /** Values in one block. */
  readonly blockSize: number;
  /** Bytes of one block. */
  readonly bytes: number;
  /** Turns whole blocks into `out`, whose length is the number of values. */
  dequantise(blocks: Uint8Array, out: Float32Array): void;
};

export const quants = {
  F32: { blockSize: 1, bytes: 4, dequantise: copyFloat32 },
  F16: { blockSize: 1, bytes: 2, dequantise: widenFloat16 },
  BF16: { blockSize: 1, bytes: 2, dequantise: widenBfloat16 },
  Q4_0: { blockSize: 32, bytes: 18, dequantise: dequantiseQ4_0 },
  Q4_1: { blockSize: 32, bytes: 20, dequantise: dequantiseQ4_1 },
  Q8_0: { blockSize: 32, bytes: 34, dequantise: dequantiseQ8_0 },
} as const satisfies Record<string, Storage>;

const CHUNK = 4 * 1024 * 1024;

/** The `count` values stored at `position`, read piece by piece so that nothing is held twice. */
export function readValues(
  file: ReadableFile,
  place: { readonly position: number; readonly count: number },
  storage: Storage,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(place.count);
  if (storage === quants.F32) {
    file.readInto(new Uint8Array(out.buffer), place.position);
    return out;
  }
  const blocksPerPiece = Math.max(1, Math.floor(CHUNK / storage.bytes));
  const blocks = Math.ceil(place.count / storage.blockSize);
  const buffer = new Uint8Array(Math.min(blocks, blocksPerPiece) * storage.bytes);
  for (let block = 0; block < blocks; block += blocksPerPiece) {
    const pieceBlocks = Math.min(blocksPerPiece, blocks - block);
    const piece = buffer.subarray(0, pieceBlocks * storage.bytes);
    file.readInto(piece, place.position + block * storage.bytes);
    const first = block * storage.blockSize;
    storage.dequantise(piece, out.subarray(first, first + pieceBlocks * storage.blockSize));
  }
  return out;
}

function copyFloat32(blocks: Uint8Array, out: Float32Array): void {
  new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(blocks);
}

// Values travel as bit patterns, so that not even the payload of a NaN changes.
function widenFloat16(blocks: Uint8Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const table = float16Bits();
  for (let i = 0; i < bits.length; i++) bits[i] = table[blocks[2 * i]! | (blocks[2 * i + 1]! << 8)]!;
}

function widenBfloat16(blocks: Uint8Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) bits[i] = (blocks[2 * i]! << 16) | (blocks[2 * i + 1]! << 24);
}

// In the quantised types every product of scale and integer is exact, and the one sum of Q4_1 is exact in a
// double; storing it rounds once, as f32 arithmetic does.
function dequantiseQ8_0(blocks: Uint8Array, out: Float32Array): void {
  const half = float16Values();
  const signed = new Int8Array(blocks.buffer, blocks.byteOffset, blocks.length);
  for (let at = 0, first = 0; first < out.length; at += 34, first += 32) {
    const scale = half[blocks[at]! | (blocks[at + 1]! << 8)]!;
    for (let i = 0; i < 32; i++) out[first + i] = scale * signed[at + 2 + i]!;
  }
}

function dequantiseQ4_0(blocks: Uint8Array, out: Float32Array): void {
  const half = float16Values();
  for (let at = 0, first = 0; first < out.length; at += 18, first += 32) {
    const scale = half[blocks[at]! | (blocks[at + 1]! << 8)]!;
    for (let i = 0; i < 16; i++) {
      const pair = blocks[at + 2 + i]!;
      out[first + i] = scale * ((pair & 15) - 8);
      out[first + 16 + i] = scale * ((pair >> 4) - 8);
    }
  }
}

function dequantiseQ4_1(blocks: Uint8Array, out: Float32Array): void {
  const half = float16Values();
  for (let at = 0, first = 0; first < out.length; at += 20, first += 32) {
    const scale = half[blocks[at]! | (blocks[at + 1]! << 8)]!;
    const least = half[blocks[at + 2]! | (blocks[at + 3]! << 8)]!;
    for (let i = 0; i < 16; i++) {
      const pair = blocks[at + 4 + i]!;
      out[first + i] = scale * (pair & 15) + least;
      out[first + 16 + i] = scale * (pair >> 4) + least;
    }
  }
}

let float16Table: Uint32Array<ArrayBuffer> | undefined;

/** f32 bits of every f16, indexed by its bits. */
function float16Bits(): Uint32Array<ArrayBuffer> {
  float16Table ??= Uint32Array.from({ length: 65536 }, (_, half) => widenBits(half));
  return float16Table;
}

function float16Values(): Float32Array {
  return new Float32Array(float16Bits().buffer);
}

function widenBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return (sign | 0x7f800000 | (fraction << 13)) >>> 0;
  if (exponent > 0) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0;
  if (fraction === 0) return sign >>> 0;
  const shift = Math.clz32(fraction) - 21; // a subnormal half is a normal float
  return (sign | ((113 - shift) << 23) | (((fraction << shift) & 1023) << 13)) >>> 0;
}
