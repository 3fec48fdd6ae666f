// The storage types of llama.cpp that have two levels of scales: blocks of 256 values in parts of 32 (Q4_K, Q5_K) or
// 16 (Q6_K). Layouts: block_q4_K, block_q5_K and block_q6_K of ggml-common.h. Every product here is exact in a
// double, and so is the one difference; storing it rounds once, as f32 arithmetic does.

import { halfValues } from "./half.ts";

const BLOCK = 256;

/** f16 scale, f16 minimum, 12 bytes of 6-bit scales and minima, 128 bytes of two values each. */
export function dequantiseQ4_K(blocks: Uint8Array, out: Float32Array): void {
  const parts = new PartScales();
  for (let at = 0, first = 0; first < out.length; at += 144, first += BLOCK) {
    parts.read(blocks, at);
    for (let part = 0; part < 8; part++) {
      const scale = parts.scales[part]!;
      const least = parts.minima[part]!;
      const shift = 4 * (part & 1);
      const low = at + 16 + 32 * (part >> 1);
      const target = first + 32 * part;
      for (let i = 0; i < 32; i++) out[target + i] = scale * ((blocks[low + i]! >> shift) & 15) - least;
    }
  }
}

/** As Q4_K, with 32 bytes between whose bit p is the fifth bit of the values of part p. */
export function dequantiseQ5_K(blocks: Uint8Array, out: Float32Array): void {
  const parts = new PartScales();
  for (let at = 0, first = 0; first < out.length; at += 176, first += BLOCK) {
    parts.read(blocks, at);
    for (let part = 0; part < 8; part++) {
      const scale = parts.scales[part]!;
      const least = parts.minima[part]!;
      const shift = 4 * (part & 1);
      const high = at + 16;
      const low = at + 48 + 32 * (part >> 1);
      const target = first + 32 * part;
      for (let i = 0; i < 32; i++) {
        const fifth = ((blocks[high + i]! >> part) & 1) << 4;
        out[target + i] = scale * (((blocks[low + i]! >> shift) & 15) | fifth) - least;
      }
    }
  }
}

/** 128 bytes of low fours, 64 of high twos, 16 signed scales, f16 scale. */
export function dequantiseQ6_K(blocks: Uint8Array, out: Float32Array): void {
  const half = halfValues();
  const signed = new Int8Array(blocks.buffer, blocks.byteOffset, blocks.length);
  for (let at = 0, first = 0; first < out.length; at += 210, first += BLOCK) {
    const scale = half[blocks[at + 208]! | (blocks[at + 209]! << 8)]!;
    // Eight parts of 32: four in each half of the block, which has 64 bytes of fours (first the low halves of all,
    // then the high ones) and 32 bytes of twos.
    for (let part = 0; part < 8; part++) {
      const side = part >> 2;
      const fours = at + 64 * side + 32 * (part & 1);
      const fourShift = 2 * (part & 2);
      const twos = at + 128 + 32 * side;
      const twoShift = 2 * (part & 3);
      const target = first + 32 * part;
      for (let i = 0; i < 32; i++) {
        const four = (blocks[fours + i]! >> fourShift) & 15;
        const two = (blocks[twos + i]! >> twoShift) & 3;
        out[target + i] = scale * signed[at + 192 + 2 * part + (i >> 4)]! * ((four | (two << 4)) - 32);
      }
    }
  }
}

/** Scales and minima of a block's eight parts. */
class PartScales {
  readonly scales = new Float64Array(8);
  readonly minima = new Float64Array(8);
  readonly #half = halfValues();

  /** Reads the first 16 bytes of a block: the 6-bit numbers of parts 4 to 7 are split over three bytes. */
  read(blocks: Uint8Array, at: number): void {
    const scale = this.#half[blocks[at]! | (blocks[at + 1]! << 8)]!;
    const least = this.#half[blocks[at + 2]! | (blocks[at + 3]! << 8)]!;
    for (let part = 0; part < 4; part++) {
      const [a, b, c] = [blocks[at + 4 + part]!, blocks[at + 8 + part]!, blocks[at + 12 + part]!];
      this.scales[part] = scale * (a & 63);
      this.minima[part] = least * (b & 63);
      this.scales[part + 4] = scale * ((c & 15) | ((a >> 2) & 48));
      this.minima[part + 4] = least * ((c >> 4) | ((b >> 2) & 48));
    }
  }
}
