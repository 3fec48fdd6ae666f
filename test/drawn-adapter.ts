// For tests only: adapters in which nothing is where it starts, so that every array of them counts.

import type { Adapter } from "../src/adapters/adapter.ts";
import { createAdapter } from "../src/adapters/create.ts";
import { parseAdapter } from "../src/adapters/options.ts";
import { createRandom } from "../src/base/random.ts";

type Base = Parameters<typeof createAdapter>[1];

/** An adapter of a kind and its options as text, drawn; modules trained whole differ a little from the base's. */
export function drawAdapter(text: string, base: Base, seed: number): Adapter {
  const random = createRandom(seed);
  const adapter = createAdapter(parseAdapter(text), base, random);
  for (const [name, { data }] of adapter.arrays) {
    const isOwn = /lora_[AB]|adapter_|invertible/.test(name);
    const drawn = (value: number) => (isOwn ? 0.15 * random.normal() : value * (1 + 0.1 * random.normal()));
    data.set(data.map(drawn));
  }
  return adapter;
}
