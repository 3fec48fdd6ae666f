// Two or more adapters as one, each with a weight. LoRAs are put side by side, which gives exactly the weighted sum of
// what they add (PEFT's combination_type "cat"); bottlenecks of one shape are averaged, as adapters does it.

import { UserError } from "../base/errors.ts";
import type { Adapter, AdapterConfig, BottleneckConfig, LoraConfig, TrainedArray } from "./adapter.ts";
import { loraScale } from "./lora.ts";

export type Weighted<C extends AdapterConfig = AdapterConfig> = {
  readonly adapter: Adapter<C>;
  readonly weight: number;
};

/** The combination; a `UserError` says why the adapters cannot be combined. */
export function combineAdapters(parts: readonly Weighted[]): Adapter {
  if (parts.length === 0) throw new UserError("Expected adapters to combine, found none");
  if (parts.every(isLora)) return sideBySide(parts);
  if (parts.every(isBottleneck)) return averaged(parts);
  throw new UserError("Expected adapters of one kind to combine, found LoRAs and bottlenecks");
}

function isLora(part: Weighted): part is Weighted<LoraConfig> {
  return part.adapter.config.kind === "lora";
}

function isBottleneck(part: Weighted): part is Weighted<BottleneckConfig> {
  return part.adapter.config.kind === "bottleneck";
}

/** A of all one below the other, B of all side by side, weight and scale in B. */
function sideBySide(parts: readonly Weighted<LoraConfig>[]): Adapter<LoraConfig> {
  const configs = parts.map(({ adapter }) => adapter.config);
  if (configs.some(({ use_dora, modules_to_save }) => use_dora || modules_to_save.length > 0)) {
    throw new UserError(
      "Expected LoRAs to combine, found one with DoRA or with modules trained whole, which is no sum; merge it into the base instead",
    );
  }
  const r = configs.reduce((sum, config) => sum + config.r, 0);
  const names = new Set(parts.flatMap(({ adapter }) => [...adapter.arrays.keys()]));
  const modules = [...names].flatMap((name) => /^(.*)\.lora_A\.weight$/.exec(name)?.[1] ?? []);
  const arrays = new Map<string, TrainedArray>();
  for (const module of modules) {
    const { a, b } = stacked(parts, module, r);
    arrays.set(`${module}.lora_A.weight`, a);
    arrays.set(`${module}.lora_B.weight`, b);
  }
  return { config: { ...configs[0]!, ...placesOf(configs), r, lora_alpha: r, use_rslora: false }, arrays };
}

/** Where an adapter has nothing, its share of the rank stays zero. */
function stacked(parts: readonly Weighted<LoraConfig>[], module: string, r: number) {
  const arrayOf = ({ adapter }: Weighted, part: "A" | "B") =>
    adapter.arrays.get(`${module}.lora_${part}.weight`);
  const first = parts.find((part) => arrayOf(part, "A"))!;
  const inner = arrayOf(first, "A")!.shape[1]!;
  const out = arrayOf(first, "B")!.shape[0]!;
  const a = new Float32Array(r * inner);
  const b = new Float32Array(out * r);
  let at = 0;
  for (const part of parts) {
    const { config } = part.adapter;
    const [partA, partB] = [arrayOf(part, "A"), arrayOf(part, "B")];
    if (partA && partB) {
      requireShape(module, [partA.shape[1]!, partB.shape[0]!], [inner, out]);
      a.set(partA.data, at * inner);
      const factor = part.weight * loraScale(config);
      partB.data.forEach((value, i) => {
        b[Math.floor(i / config.r) * r + at + (i % config.r)] = value * factor;
      });
    }
    at += config.r;
  }
  return { a: { shape: [r, inner], data: a }, b: { shape: [out, r], data: b } };
}

function requireShape(name: string, found: readonly number[], wanted: readonly number[]): void {
  if (found.join() === wanted.join()) return;
  throw new UserError(
    `Expected adapters for one base to combine, found ${name} with [${found}] and [${wanted}] inputs and outputs`,
  );
}

/** Everywhere that one of them is. They must agree on the layers, or one target would mean different ones. */
function placesOf(
  configs: readonly LoraConfig[],
): Pick<LoraConfig, "target_modules" | "layers_to_transform"> {
  const layers = new Set(configs.map(({ layers_to_transform }) => JSON.stringify(layers_to_transform)));
  if (layers.size > 1) {
    throw new UserError(
      `Expected LoRAs on the same layers to combine, found layers_to_transform ${[...layers].join(" and ")}`,
    );
  }
  const targets = [...new Set(configs.flatMap(({ target_modules }) => target_modules))];
  return {
    target_modules: targets.includes("all-linear") ? ["all-linear"] : targets,
    layers_to_transform: configs[0]!.layers_to_transform,
  };
}

function averaged(parts: readonly Weighted<BottleneckConfig>[]): Adapter<BottleneckConfig> {
  const [first] = parts;
  const { config } = first!.adapter;
  const other = parts.find(({ adapter }) => JSON.stringify(adapter.config) !== JSON.stringify(config));
  if (other) {
    throw new UserError(
      "Expected bottlenecks with the same options to combine, found some that differ; train them alike",
    );
  }
  const arrays = [...first!.adapter.arrays].map(([name, { shape, data }]): [string, TrainedArray] => {
    const sum = new Float32Array(data.length);
    for (const { adapter, weight } of parts) {
      const array = adapter.arrays.get(name);
      requireShape(name, array?.shape ?? [], shape);
      array!.data.forEach((value, i) => {
        sum[i]! += weight * value;
      });
    }
    return [name, { shape, data: sum }];
  });
  return { config, arrays: new Map(arrays) };
}
