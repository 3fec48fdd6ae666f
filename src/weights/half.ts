// Half-precision numbers (f16) as f32, by a table of all 65,536 of them, and f32 ones as the nearest f16.

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

/** The largest finite f16, beyond which nothing goes. */
const MOST = 0x7bff;

/** Bits of the f16 nearest to each number, ties to even; what is too large becomes the largest. */
export function toHalf(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const size = bits[i]! & 0x7fffffff;
    halves[i] =
      ((bits[i]! >>> 16) & 0x8000) | (size > INFINITY ? 0x7e00 : Math.min(MOST, narrow(size, values[i]!)));
  }
  return halves;
}

/** How far f16 numbers are from those they stand for: the norm of the differences over that of the numbers. */
export function halfError(values: Float32Array, halves: Uint16Array): number {
  const value = halfValues();
  let [error, norm] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const difference = value[halves[i]!]! - values[i]!;
    error += difference * difference;
    norm += values[i]! * values[i]!;
  }
  return norm === 0 ? 0 : Math.sqrt(error / norm);
}

/** Bits of f32: above those of infinity lies no number. */
const INFINITY = 0x7f800000;
/** Bits of the smallest f32 that is a normal f16, 2^-14. */
const NORMAL = 0x38800000;

function narrow(size: number, value: number): number {
  if (size >= NORMAL) return (size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13;
  const steps = Math.abs(value) * 2 ** 24;
  const below = Math.floor(steps);
  const rest = steps - below;
  return below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0);
}
