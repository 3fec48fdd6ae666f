// A fresh adapter for a model: every array at its place with its initial values. The same seed gives the same numbers.

import { sizeOf } from "../base/dtype.ts";
import type { Random } from "../base/random.ts";
import type { Adapter, AdapterConfig, TrainedArray } from "./adapter.ts";
import { findHubModel } from "./hub-models.ts";
import type { Adaptable, Planned } from "./kind.ts";
import { allArrays } from "./kinds.ts";

/** A model and its weights: `read` gives a base array by its full name, f32 in the Hugging Face layout. */
export type BaseWeights = {
  readonly model: Adaptable & { readonly model_type: string };
  readonly read: (name: string) => Float32Array;
};

/** Arrays for every place that the configuration means; a `UserError` names what the model does not have. */
export function createAdapter<C extends AdapterConfig>(
  config: C,
  base: BaseWeights,
  random: Random,
): Adapter<C> {
  const arrays = new Map<string, TrainedArray>();
  for (const planned of allArrays(config, base.model)) {
    arrays.set(planned.name, { shape: planned.shape, data: valuesOf(planned, base, random) });
  }
  return { config: asHubHasIt(config, base.model.model_type), arrays };
}

/** Where the invertible adapter is undone is a matter of the architecture, so that AdapterHub computes the same. */
function asHubHasIt<C extends AdapterConfig>(config: C, model_type: string): C {
  if (config.kind !== "bottleneck" || config.inv_adapter === null) return config;
  return { ...config, inverse_before_logits: findHubModel(model_type)?.inverse ?? false };
}

function valuesOf({ name, shape, initial }: Planned, { read }: BaseWeights, random: Random): Float32Array {
  const filled = (value: () => number) => Float32Array.from({ length: sizeOf(shape) }, value);
  switch (initial.kind) {
    case "zeros":
      return new Float32Array(sizeOf(shape));
    case "uniform":
      return filled(() => initial.bound * (2 * random.uniform() - 1));
    case "normal":
      return filled(() => initial.deviation * normalWithin(random, initial.within ?? Infinity));
    case "row-norms":
      return rowNorms(read(initial.of), shape[0]!);
    case "copy":
      return read(name).slice();
  }
}

function normalWithin(random: Random, limit: number): number {
  for (;;) {
    const value = random.normal();
    if (Math.abs(value) <= limit) return value;
  }
}

/** L2 norms of a matrix's rows. */
export function rowNorms(values: Float32Array, rows: number): Float32Array {
  const width = values.length / rows;
  return Float32Array.from({ length: rows }, (_, row) => {
    let total = 0;
    for (let i = row * width; i < (row + 1) * width; i++) total += values[i]! * values[i]!;
    return Math.sqrt(total);
  });
}
