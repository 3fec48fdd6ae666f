// What fits into a budget of all that is known of a run: length, batch, how weights are held and what is kept. One
// prediction decides and is told. Of a decoder with an adapter every form is counted; others go by `plan.ts`.

import type { AdapterConfig } from "../adapters/adapter.ts";
import { planPairKeeping } from "./encoder-decoder-keeping.ts";
import {
  type Keeper,
  type Kept,
  type KeptPlan,
  leastOf,
  mayFit,
  NOTHING_KEPT,
  planKeeping,
  planShapes,
} from "./keeping.ts";
import {
  decoderNumbers,
  lengthsFor,
  type Plan,
  planTraining,
  type Shape,
  tooSmall,
  type Wish,
} from "./plan.ts";

/** A run's plan, what its forward passes keep, and of how many rows programs may be held. */
export type Fit = {
  readonly sizes: Plan;
  readonly kept: KeptPlan & Partial<Pick<Kept, "once" | "halved" | "staying" | "alone">>;
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
  const { held_rows, more } = planShapes(keeper, sizes, { ...kept, limit });
  return { sizes: { ...sizes, memory: sizes.memory + more }, kept, held_rows };
}

/** Whether rounded weights may become f32 ones within a budget, where their check fails. */
export function fitsUnrounded(shape: Shape, { sizes, kept }: Fit, memory: number | null): boolean {
  const { model } = shape;
  if (memory === null || model.kind !== "decoder" || shape.compute !== "int8" || sizes.streams) return true;
  const extent = { batch: 1, length: 1, arena: true };
  const [rounded, plain] = [
    { ...shape, once: kept.once ?? false },
    { ...shape, compute: "f32" as const },
  ].map((one) => decoderNumbers({ ...one, model }, extent).weights);
  return sizes.memory + 4 * (plain! - rounded!) <= memory;
}

/** Weights that need not be read anew are worth more than length, and length more than a large batch. */
function planDecoder(keeper: Keeper, wish: Wish, limit: number): Fit {
  const lengths = lengthsFor(keeper.shape, wish);
  const sizes = { arena: true, memory: 0 };
  const most = { max_length: lengths[0]!, batch: wish.per_device_train_batch_size };
  if (wish.memory === null) return fitOf(keeper, { ...sizes, ...most, streams: false }, limit);
  for (const { streams, row } of formsWithin(keeper, lengths.at(-1)!, wish.memory)) {
    for (const max_length of lengths) {
      for (let batch = most.batch; batch >= 1; batch = Math.floor(batch / 2)) {
        const plan = { ...sizes, max_length, batch, streams };
        if (!mayFit(keeper, plan, { row, limit })) continue;
        const fit = fitOf(keeper, plan, limit);
        if (fit.sizes.memory <= limit) return fit;
      }
    }
  }
  throw new Error("Expected the least that was counted to fit");
}

/** Weights that are held and that are read anew, if the shortest length fits; refuses a budget where neither does. */
function formsWithin(keeper: Keeper, max_length: number, memory: number) {
  const forms = [false, true].map((streams) => {
    const plan = { max_length, streams, batch: 1, arena: true, memory: 0 };
    return { streams, ...leastOf(keeper, plan) };
  });
  const fitting = forms.filter((form) => form.memory <= memory);
  if (fitting.length === 0) throw tooSmall(memory, Math.min(...forms.map((form) => form.memory)));
  return fitting;
}
