// An adapter's arrays for use without training: what depends on nothing that changes is computed once instead of at
// every run. Only DoRA has such a thing, the norms of W + s·BA; the hooks are told with `frozen`.

import type { Adapter, LoraConfig, TrainedArray } from "./adapter.ts";
import { type BaseWeights, rowNorms } from "./create.ts";
import { merged } from "./delta.ts";

const MAGNITUDE = ".lora_magnitude_vector";

/** The arrays with m/‖W + s·BA‖ in the place of m. */
export function frozenArrays(adapter: Adapter, read: BaseWeights["read"]): ReadonlyMap<string, TrainedArray> {
  const { config, arrays } = adapter;
  if (config.kind !== "lora" || !config.use_dora) return arrays;
  return new Map(
    [...arrays].map(([name, array]) =>
      name.endsWith(MAGNITUDE)
        ? [name, divided({ config, arrays }, name.slice(0, -MAGNITUDE.length), read)]
        : [name, array],
    ),
  );
}

function divided(adapter: Adapter<LoraConfig>, module: string, read: BaseWeights["read"]): TrainedArray {
  const { shape, data } = adapter.arrays.get(module + MAGNITUDE)!;
  const norms = rowNorms(merged(adapter, module, read(`${module}.weight`)), shape[0]!);
  return { shape, data: data.map((m, row) => m / norms[row]!) };
}
