// How much of a budget goes into keeping results of forward passes, so that backward passes need not compute them
// again: what is kept of one block is known exactly from its programs, the rest is `plan.ts`'s estimate.

import type { AdapterConfig } from "../adapters/adapter.ts";
import { sizeOf } from "../base/dtype.ts";
import type { Model } from "../models/model.ts";
import { bucketOf } from "./batch.ts";
import type { Keeping } from "./kept.ts";
import { decoderNumbers, type Plan, type Shape } from "./plan.ts";
import { blockKept, frozenGroups, type Setup } from "./stages.ts";

export type KeptPlan = {
  readonly keeping: Keeping;
  /** So many of the last blocks keep it. */
  readonly kept_layers: number;
  /** Bytes that this takes. */
  readonly kept: number;
};

export type Keeper = {
  readonly shape: Shape & { readonly model: Model };
  readonly adapter: AdapterConfig | null;
};

/** What programs of both kinds, those that keep and those that compute again, hold beyond those of one kind. */
export const BOTH_KINDS = 0.65;

export const NOTHING_KEPT: KeptPlan = { keeping: "nothing", kept_layers: 0, kept: 0 };

/** As much as `limit` bytes leave room for beside what is planned: all of every block is best, then less of each. */
export function planKeeping(keeper: Keeper, plan: Plan, limit: number): KeptPlan {
  const layers = keeper.shape.model.num_hidden_layers;
  const room = limit - plan.memory;
  const all = bytesKept(keeper, plan, "all");
  if (all * layers <= room) return { keeping: "all", kept_layers: layers, kept: all * layers };
  const linear = bytesKept(keeper, plan, "linear");
  if (linear * layers <= room) return { keeping: "linear", kept_layers: layers, kept: linear * layers };
  const extent = { batch: plan.batch, length: bucketOf(plan.max_length), arena: plan.arena };
  const more = BOTH_KINDS * 4 * decoderNumbers(keeper.shape, extent).working;
  const kept_layers = Math.floor((room - more) / linear);
  return kept_layers < 1
    ? NOTHING_KEPT
    : { keeping: "linear", kept_layers, kept: more + linear * kept_layers };
}

/** Programs for batches of other shapes are held while these have so many times the rows of the largest together. */
const SHAPES = 2;

/** Rows of all shapes whose programs may be held at a time, within what is left of `limit`. */
export function planShapes({ shape }: Keeper, plan: Plan, limit: number): number {
  const extent = { batch: plan.batch, length: bucketOf(plan.max_length), arena: plan.arena };
  const rows = extent.batch * extent.length;
  // Without the arena working memory is given back after every run.
  if (!plan.arena) return SHAPES * rows;
  const each = (4 * decoderNumbers(shape, extent).working) / rows;
  return Math.min(SHAPES * rows, rows + Math.max(0, Math.floor((limit - plan.memory) / each)));
}

/** Bytes that one block keeps of a batch of the longest sequences. */
function bytesKept({ shape: { model, compute }, adapter }: Keeper, plan: Plan, keeping: Keeping): number {
  const base: Setup = { model, adapter, trainable: adapter ? "adapter" : "all" };
  const setup = compute === "int8" ? { ...base, frozen: frozenGroups(base) } : base;
  const extent = { batch: plan.batch, length: bucketOf(plan.max_length) };
  const kept = blockKept(setup, extent, { layer: model.num_hidden_layers - 1, drops: false, keeping });
  return kept.reduce((bytes, { shape }) => bytes + 4 * sizeOf(shape), 0);
}
