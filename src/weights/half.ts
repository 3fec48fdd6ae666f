// Half-precision numbers (f16) as f32, by a table of all 65,536 of them.

let table: Uint32Array<ArrayBuffer> | undefined;

/** f32 bits of every f16, indexed by its bits. */
export function halfBits(): Uint32Array<ArrayBuffer> {
  table ??= Uint32Array.from({ length: 65536 }, (_, half) => widenBits(half));
  return table;
}

/** The value of every f16, indexed by its bits. */
export function halfValues(): Float32Array<ArrayBuffer> {
  return new Float32Array(halfBits().buffer);
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
