// An adapter merged into the weights of its base: the same function in the base's own shapes, for programs that know
// no adapter. Only what is linear in a layer's input can be merged.

import { UserError } from "../base/errors.ts";
import type { Adapter, LoraConfig } from "./adapter.ts";
import { type BaseWeights, rowNorms } from "./create.ts";
import { merged } from "./delta.ts";
import { type Adaptable, chainsOf, isTwofold, type Parameter } from "./kind.ts";
import { requireMatch } from "./match.ts";

/** Arrays of the base that the adapter changes, by name; each is computed when it is asked for. */
export function mergedArrays(
  adapter: Adapter,
  { model, read }: BaseWeights,
): ReadonlyMap<string, () => Float32Array> {
  const { config, arrays } = adapter;
  if (config.kind !== "lora") {
    throw new UserError(
      "Expected a LoRA to merge, found a bottleneck adapter, which is no change of weights; use it beside the base",
    );
  }
  requireMatch(adapter, model);
  const changed = new Map<string, () => Float32Array>();
  for (const [name, { data }] of arrays) {
    const module = /^(.*)\.lora_A\.weight$/.exec(name)?.[1];
    if (module !== undefined) {
      changed.set(`${module}.weight`, () => mergedWeight({ config, arrays }, module, read));
    } else if (!/\.lora_(B\.weight|magnitude_vector)$/.test(name)) {
      changed.set(name, () => data);
    }
  }
  return changed;
}

/** Every array of the merged model, to be written one after another. */
export function mergedModel(
  adapter: Adapter,
  base: BaseWeights,
): ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: () => Float32Array }> {
  const changed = mergedArrays(adapter, base);
  return new Map(
    everyParameter(base.model).map(({ name, shape }) => [
      name,
      { shape, data: changed.get(name) ?? (() => base.read(name)) },
    ]),
  );
}

function everyParameter(model: Adaptable): Parameter[] {
  const blocks = chainsOf(model).flatMap(({ num_hidden_layers, blockParameters, blockPrefix }) =>
    Array.from({ length: num_hidden_layers }, (_, layer) =>
      blockParameters.map(({ name, shape }) => ({ name: blockPrefix(layer) + name, shape })),
    ).flat(),
  );
  const chained = isTwofold(model) ? [model.encoder, model.decoder] : [];
  const positions = chained.flatMap(({ positionParameters }) => positionParameters);
  const { embeddingParameter, headParameters, moreParameters = [] } = chainsOf(model)[0]!;
  const all = [embeddingParameter, ...moreParameters, ...positions, ...blocks, ...headParameters];
  return [...new Map(all.map((parameter) => [parameter.name, parameter])).values()];
}

function mergedWeight(adapter: Adapter<LoraConfig>, module: string, read: BaseWeights["read"]): Float32Array {
  const sum = merged(adapter, module, read(`${module}.weight`));
  const magnitude = adapter.arrays.get(`${module}.lora_magnitude_vector`);
  if (!magnitude) return sum;
  const norms = rowNorms(sum, magnitude.data.length);
  const width = sum.length / norms.length;
  return sum.map((value, i) => {
    const row = Math.floor(i / width);
    return (value * magnitude.data[row]!) / norms[row]!;
  });
}
