// Seeded randomness whose whole state is four integers, so that a checkpoint can hold it and a resumed run
// goes on as if it had never stopped. Generator: xoshiro128** seeded by splitmix32 (Blackman and Vigna, 2018).

export type RandomState = readonly [number, number, number, number];

export type Random = {
  /** A 32-bit unsigned integer. */
  uint32(): number;
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Standard normal, by Box and Muller's transform; no value is kept between calls. */
  normal(): number;
  /** Uniform integer in [0, limit). */
  below(limit: number): number;
  /** The same elements in a new order (Fisher and Yates). */
  shuffle<T>(items: readonly T[]): T[];
  state(): RandomState;
};

/** A generator from a seed, or one that continues from a saved state. */
export function createRandom(seed: number | RandomState): Random {
  const s = Uint32Array.from(typeof seed === "number" ? splitmix(seed) : seed);
  const uint32 = () => next(s);
  const uniform = () => ((uint32() >>> 5) * 67108864 + (uint32() >>> 6)) / 9007199254740992;
  const below = (limit: number) => Math.floor(uniform() * limit);
  return {
    uint32,
    uniform,
    below,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle: (items) => {
      const out = [...items];
      for (let i = out.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [out[i], out[j]] = [out[j]!, out[i]!];
      }
      return out;
    },
    state: () => [s[0]!, s[1]!, s[2]!, s[3]!],
  };
}

function next(s: Uint32Array): number {
  const rotl = (x: number, k: number) => (x << k) | (x >>> (32 - k));
  const result = Math.imul(rotl(Math.imul(s[1]!, 5), 7), 9) >>> 0;
  const t = s[1]! << 9;
  s[2]! ^= s[0]!;
  s[3]! ^= s[1]!;
  s[1]! ^= s[2]!;
  s[0]! ^= s[3]!;
  s[2]! ^= t;
  s[3] = rotl(s[3]!, 11);
  return result;
}

function splitmix(seed: number): number[] {
  let a = seed >>> 0;
  return [0, 1, 2, 3].map(() => {
    a = (a + 0x9e3779b9) >>> 0;
    let t = a ^ (a >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return (t ^ (t >>> 15)) >>> 0;
  });
}
