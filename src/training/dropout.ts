// Dropout of an adapter's inputs while training. Masks follow from seed, step and place alone: nothing of them is
// saved, a run that goes on draws the same, and the second forward of a backward program sees those of the first.

import type { AdapterConfig } from "../adapters/adapter.ts";
import { createRandom } from "../base/random.ts";
import type { Buffers } from "../runtime/device.ts";
import type { Pool } from "./pool.ts";

/** Share of an adapter's inputs that is set to zero in training. */
export function dropoutRate(config: AdapterConfig | null): number {
  if (config === null) return 0;
  return config.kind === "lora" ? config.lora_dropout : config.dropout;
}

/** Fills `mask` with 0 at a share of `rate` and 1 / (1 - rate) elsewhere; the rate is rounded to 1 / 65536. */
export function fillMask(mask: Float32Array, rate: number, place: readonly number[]): void {
  const threshold = Math.round(rate * 65536);
  const kept = 65536 / (65536 - threshold);
  const random = createRandom(place.reduce(mix, 0));
  for (let i = 0; i < mask.length; i += 2) {
    const bits = random.uint32();
    mask[i] = (bits & 0xffff) < threshold ? 0 : kept;
    if (i + 1 < mask.length) mask[i + 1] = bits >>> 16 < threshold ? 0 : kept;
  }
}

/** Masks by their names, filled for one place in a run: `of` are its seed and numbers. */
export function maskFeeds(
  masks: readonly { readonly name: string; readonly shape: readonly number[] }[],
  pool: Pool,
  { rate, of }: { readonly rate: number; readonly of: readonly number[] },
): Buffers {
  const filled = masks.map(({ name, shape }, i) => {
    const buffer = pool.get(name, shape);
    fillMask(buffer.data as Float32Array, rate, [...of, i]);
    return [name, buffer] as const;
  });
  return Object.fromEntries(filled);
}

/** One number of several, each of whose bits counts (the finaliser of MurmurHash3). */
export function mix(hash: number, value: number): number {
  let h = Math.imul(hash ^ value, 0x9e3779b1) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
