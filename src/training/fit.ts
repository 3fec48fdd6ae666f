// What fits into a budget of all that is known of a run: length, batch, how weights are held and what is kept. One
// prediction decides and is told. Of a decoder with an adapter every form is counted; others go by `plan.ts`.

import type { AdapterConfig } from "../adapters/adapter.ts";
import { planPairKeeping } from "./encoder-decoder-keeping.ts";
import { type Keeper, type Kept, type KeptPlan, NOTHING_KEPT, planKeeping, planShapes } from "./keeping.ts";
import { lengthsFor, type Plan, planTraining, type Shape, tooSmall, type Wish } from "./plan.ts";

/** A run's plan, what its forward passes keep, and of how many rows programs may be held. */
export type Fit = {
  readonly sizes: Plan;
  readonly kept: KeptPlan & Partial<Pick<Kept, "once" | "alone">>;
  readonly held_rows: number;
};

type Asked = { readonly shape: Shape; readonly adapter: AdapterConfig | null };

/**
 * The longest `max_length` and the largest batch within the budget, and of all ways to hold and to keep the fastest.
 * Without a budget `limit` bounds what is kept and nothing else. Refuses with the smallest budget that would do.
 */
export function planFit({ shape, adapter }: Asked, wish: Wish, limit: number): Fit {
  const { model } = shape;
  const most = wish.memory ?? limit;
  if (model.kind === "decoder" && shape.adapter)
    return planDecoder({ shape: { ...shape, model }, adapter }, wish, most);
  const plan = planTraining(shape, wish);
  if (model.kind === "two-stream") return { sizes: plan, kept: NOTHING_KEPT, held_rows: 0 };
  if (model.kind === "encoder-decoder") {
    const kept = planPairKeeping({ shape: { ...shape, model }, adapter }, plan, most);
    return { sizes: { ...plan, memory: plan.memory + kept.kept }, kept, held_rows: 0 };
  }
  return fitOf({ shape: { ...shape, model }, adapter }, plan, most);
}

function fitOf(keeper: Keeper, plan: Plan, limit: number): Fit {
  const kept = planKeeping(keeper, plan, limit);
  const sizes = { ...plan, memory: kept.memory, arena: kept.arena };
  return { sizes, kept, held_rows: planShapes(keeper, sizes, limit) };
}

/** Weights that need not be read anew are worth more than length, and length more than a large batch. */
function planDecoder(keeper: Keeper, wish: Wish, limit: number): Fit {
  const lengths = lengthsFor(keeper.shape, wish);
  let least = Infinity;
  for (const streams of [false, true]) {
    for (const max_length of lengths) {
      for (let batch = wish.per_device_train_batch_size; batch >= 1; batch = Math.floor(batch / 2)) {
        const fit = fitOf(keeper, { max_length, batch, arena: true, streams, memory: 0 }, limit);
        if (wish.memory === null || fit.sizes.memory <= wish.memory) return fit;
        least = Math.min(least, fit.sizes.memory);
      }
    }
  }
  throw tooSmall(wish.memory!, least);
}
