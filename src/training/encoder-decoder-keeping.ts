// How much of a budget goes into keeping results of forward passes of an encoder–decoder network, as `keeping.ts` says it
// of one chain. Blocks of the two sides differ, so what each keeps is counted by itself.

import type { AdapterConfig } from "../adapters/adapter.ts";
import { sizeOf } from "../base/dtype.ts";
import { bucketOf } from "./batch.ts";
import type { PairExtent } from "./encoder-decoder-batch.ts";
import { blockKept, frozenGroups } from "./encoder-decoder-blocks.ts";
import { type PairShape, pairExtents, workingNumbers } from "./encoder-decoder-plan.ts";
import { type PairSetup, SIDES } from "./encoder-decoder-stages.ts";
import { BOTH_KINDS, type KeptPlan, NOTHING_KEPT } from "./keeping.ts";
import type { Keeping } from "./kept.ts";
import type { Plan } from "./plan.ts";

export type PairKeeper = { readonly shape: PairShape; readonly adapter: AdapterConfig | null };

/** As much as `limit` bytes leave room for beside what is planned: all of every block is best, then less of each. */
export function planPairKeeping(keeper: PairKeeper, plan: Plan, limit: number): KeptPlan {
  const room = limit - plan.memory;
  const extents = pairExtents(keeper.shape, { batch: plan.batch, length: bucketOf(plan.max_length) });
  for (const keeping of ["all", "linear"] as const) {
    const kept = Math.max(...extents.map((extent) => sum(bytesOfBlocks(keeper, extent, keeping))));
    const kept_layers = bytesOfBlocks(keeper, extents[0]!, "nothing").length;
    if (kept <= room) return { keeping, kept_layers, kept };
  }
  const more =
    4 * BOTH_KINDS * Math.max(...extents.map((extent) => workingNumbers(keeper.shape, extent, true)));
  const blocks = extents.map((extent) => bytesOfBlocks(keeper, extent, "linear").reverse());
  const taken = (count: number) => more + Math.max(...blocks.map((bytes) => sum(bytes.slice(0, count))));
  let kept_layers = 0;
  while (taken(kept_layers + 1) <= room) kept_layers++;
  return kept_layers === 0 ? NOTHING_KEPT : { keeping: "linear", kept_layers, kept: taken(kept_layers) };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

/** What each block keeps, in their order. */
function bytesOfBlocks({ shape, adapter }: PairKeeper, extent: PairExtent, keeping: Keeping): number[] {
  const { model, compute } = shape;
  const base: PairSetup = { model, adapter, trainable: adapter ? "adapter" : "all" };
  const frozen = { encoder: frozenGroups(base, "encoder"), decoder: frozenGroups(base, "decoder") };
  const setup = compute === "int8" ? { ...base, frozen } : base;
  return SIDES.flatMap((side) => {
    const layers = model[side].num_hidden_layers;
    // The last stands for all: what an adapter adds to some blocks is small.
    const place = { side, layer: layers - 1, drops: false, keeping };
    const bytes = sum(blockKept(setup, extent, place).map(({ shape }) => 4 * sizeOf(shape)));
    return Array.from({ length: layers }, () => bytes);
  });
}
