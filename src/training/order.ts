// Which sequences an optimizer step sees: each pass goes through all of them in an order of its own, which follows
// from the seed alone.

import { createRandom } from "../base/random.ts";
import type { Resolved } from "./options.ts";
import { epochsOf } from "./options.ts";

/** Sequences of one optimizer step. */
export function windowSize(
  options: Pick<Resolved, "per_device_train_batch_size" | "gradient_accumulation_steps">,
): number {
  return options.per_device_train_batch_size * options.gradient_accumulation_steps;
}

/** Optimizer steps of a run over `count` sequences; `null` where only the clock ends it. */
export function totalSteps(options: Resolved, count: number): number | null {
  if (options.max_steps > 0) return options.max_steps;
  if (options.time !== null) return null;
  const epochs = options.num_train_epochs ?? epochsOf(options.kind, count);
  return Math.max(1, Math.ceil((count * epochs) / windowSize(options)));
}

/** Indices of the sequences of a step, counted from 0. */
export function windowAt(options: Resolved, count: number, step: number): number[] {
  const size = windowSize(options);
  return Array.from({ length: size }, (_, i) => {
    const at = step * size + i;
    return orderOf(options.seed + Math.floor(at / count), count)[at % count]!;
  });
}

/** Indices of the sequences that the first so many steps see. */
export function seenBy(options: Resolved, count: number, steps: number): ReadonlySet<number> {
  const seen = new Set<number>();
  for (let step = 0; step < steps && seen.size < count; step++) {
    for (const index of windowAt(options, count, step)) seen.add(index);
  }
  return seen;
}

const orders = new Map<string, readonly number[]>();

function orderOf(seed: number, count: number): readonly number[] {
  const key = `${seed} ${count}`;
  const found = orders.get(key);
  if (found) return found;
  const order = createRandom(seed).shuffle([...Array(count).keys()]);
  // Only neighbouring passes are ever asked for.
  if (orders.size > 4) orders.clear();
  orders.set(key, order);
  return order;
}
