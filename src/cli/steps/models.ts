// What can be said of a model before it is used: its kind and size, and what training an adapter on it would take.
// Reads headers, no weights.

import type { AdapterConfig } from "../../adapters/adapter.ts";
import { allArrays } from "../../adapters/kinds.ts";
import { sizeOf } from "../../base/dtype.ts";
import { UserError } from "../../base/errors.ts";
import { defaultsOf } from "../../base/options.ts";
import { everyParameter } from "../../models/encoder-decoder.ts";
import { createAnyModel } from "../../models/table.ts";
import { planFit } from "../../training/fit.ts";
import { resolveOptions, trainOptions } from "../../training/options.ts";
import type { Shape } from "../../training/plan.ts";
import type { StoredModel } from "../../weights/inventory.ts";
import { requireParameters } from "../../weights/match.ts";
import { openWeights } from "../../weights/open.ts";
import { computeOf } from "./compute.ts";

/** A model that can be used: sizes in numbers, memory in bytes. */
export type Usable = {
  readonly model_type: string;
  readonly parameters: number;
  /** How most of the weights are stored, such as Q4_1. */
  readonly storage: string;
  readonly max_position_embeddings: number;
  /** Memory of training an adapter at the usual length and batch. */
  readonly needs: number;
  /** What fits the budget; `null` where nothing does. */
  readonly fits: { readonly max_length: number; readonly batch: number; readonly memory: number } | null;
};

export type Described = StoredModel & ({ readonly usable: Usable } | { readonly reason: string });

/** `memory` is the budget in bytes; the adapter is what would be trained. */
export function describeModel(
  stored: StoredModel,
  { adapter, memory }: { readonly adapter: AdapterConfig; readonly memory: number },
): Described {
  try {
    return { ...stored, usable: lookInto(stored.path, adapter, memory) };
  } catch (error) {
    if (error instanceof UserError) return { ...stored, reason: error.message };
    throw error;
  }
}

function lookInto(path: string, adapter: AdapterConfig, memory: number): Usable {
  const source = openWeights(path);
  try {
    const model = createAnyModel(source.config);
    const parameters = everyParameter(model);
    requireParameters(parameters, source);
    const trained = allArrays(adapter, model).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const shape = { model, trained, adapter: true, compute: computeOf(model, WISH) };
    return {
      model_type: String(source.config.model_type),
      parameters: parameters.reduce((sum, one) => sum + sizeOf(one.shape), 0),
      storage: mostlyStoredAs([...source.arrays.values()]),
      max_position_embeddings: model.max_position_embeddings,
      needs: planFit({ shape, adapter }, { ...WISH, memory: null }, 0).sizes.memory,
      fits: planWithin({ shape, adapter }, memory),
    };
  } finally {
    source.dispose();
  }
}

const WISH = resolveOptions(defaultsOf(trainOptions), "adapter", false);

function planWithin(
  asked: { readonly shape: Shape; readonly adapter: AdapterConfig },
  memory: number,
): Usable["fits"] {
  try {
    const plan = planFit(asked, { ...WISH, memory }, memory).sizes;
    return { max_length: plan.max_length, batch: plan.batch, memory: plan.memory };
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/** The storage type that has most numbers. */
function mostlyStoredAs(arrays: readonly { storage: string; shape: readonly number[] }[]): string {
  const counts = new Map<string, number>();
  for (const { storage, shape } of arrays) counts.set(storage, (counts.get(storage) ?? 0) + sizeOf(shape));
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? "";
}
