// How each storage type of a weight file becomes f32: one row per type, giving the bits that the `gguf` Python
// package gives. Block layouts are those of ggml-common.h (little-endian, as every machine that Node supports
// but one); nothing here knows files or names.

import type { ReadableFile } from "./file.ts";
import { halfBits, halfValues } from "./half.ts";
import { dequantiseQ4_K, dequantiseQ5_K, dequantiseQ6_K } from "./k-quants.ts";

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
  Q5_0: { blockSize: 32, bytes: 22, dequantise: dequantiseQ5_0 },
  Q5_1: { blockSize: 32, bytes: 24, dequantise: dequantiseQ5_1 },
  Q8_0: { blockSize: 32, bytes: 34, dequantise: dequantiseQ8_0 },
  Q4_K: { blockSize: 256, bytes: 144, dequantise: dequantiseQ4_K },
  Q5_K: { blockSize: 256, bytes: 176, dequantise: dequantiseQ5_K },
  Q6_K: { blockSize: 256, bytes: 210, dequantise: dequantiseQ6_K },
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
  const table = halfBits();
  for (let i = 0; i < bits.length; i++) bits[i] = table[blocks[2 * i]! | (blocks[2 * i + 1]! << 8)]!;
}

function widenBfloat16(blocks: Uint8Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) bits[i] = (blocks[2 * i]! << 16) | (blocks[2 * i + 1]! << 24);
}

// In the quantised types every product of scale and integer is exact, and the one sum of Q4_1 and Q5_1 is exact in
// a double; storing it rounds once, as f32 arithmetic does.
function dequantiseQ8_0(blocks: Uint8Array, out: Float32Array): void {
  const half = halfValues();
  const signed = new Int8Array(blocks.buffer, blocks.byteOffset, blocks.length);
  for (let at = 0, first = 0; first < out.length; at += 34, first += 32) {
    const scale = half[blocks[at]! | (blocks[at + 1]! << 8)]!;
    for (let i = 0; i < 32; i++) out[first + i] = scale * signed[at + 2 + i]!;
  }
}

function dequantiseQ4_0(blocks: Uint8Array, out: Float32Array): void {
  const half = halfValues();
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
  const half = halfValues();
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

// Q5_0 and Q5_1 keep the fifth bits of all 32 values in one word, least significant first.
function dequantiseQ5_0(blocks: Uint8Array, out: Float32Array): void {
  const half = halfValues();
  for (let at = 0, first = 0; first < out.length; at += 22, first += 32) {
    const scale = half[blocks[at]! | (blocks[at + 1]! << 8)]!;
    const fifths = wordAt(blocks, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = blocks[at + 6 + i]!;
      out[first + i] = scale * (((pair & 15) | (((fifths >>> i) & 1) << 4)) - 16);
      out[first + 16 + i] = scale * (((pair >> 4) | (((fifths >>> (i + 16)) & 1) << 4)) - 16);
    }
  }
}

function dequantiseQ5_1(blocks: Uint8Array, out: Float32Array): void {
  const half = halfValues();
  for (let at = 0, first = 0; first < out.length; at += 24, first += 32) {
    const scale = half[blocks[at]! | (blocks[at + 1]! << 8)]!;
    const least = half[blocks[at + 2]! | (blocks[at + 3]! << 8)]!;
    const fifths = wordAt(blocks, at + 4);
    for (let i = 0; i < 16; i++) {
      const pair = blocks[at + 8 + i]!;
      out[first + i] = scale * ((pair & 15) | (((fifths >>> i) & 1) << 4)) + least;
      out[first + 16 + i] = scale * ((pair >> 4) | (((fifths >>> (i + 16)) & 1) << 4)) + least;
    }
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
