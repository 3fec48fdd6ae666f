// LoRA: y = Wx + s·B(Ax). Scale, initialisation and shapes as PEFT has them (peft:src/peft/tuners/lora/layer.py):
// s = lora_alpha / r, or lora_alpha / √r with rsLoRA; A uniform in ±1/√in, B zero. Knows layers by name only.

import { UserError } from "../base/errors.ts";
import { nearestName, type OptionTable, type Values } from "../base/options.ts";
import type { Random } from "../base/random.ts";
import { apply } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Adapter, LoraConfig, TrainedArray } from "./adapter.ts";

/** A linear layer of a block by its name within the block: [out, in]. */
type Linear = { readonly name: string; readonly shape: readonly number[] };

/** The options of a LoRA, by PEFT's names. */
export const loraOptions = {
  r: { type: "integer", default: 8, help: "Rank of the adapter", value: "N", least: 1 },
  lora_alpha: { type: "number", default: 16, help: "Scale of the adapter: lora_alpha / r", value: "X" },
  use_rslora: { type: "boolean", default: false, help: "Scale by lora_alpha / sqrt(r) instead" },
  target_modules: {
    type: "strings",
    default: ["all-linear"],
    help: "Linear layers that get an adapter, by name, or all-linear",
    value: "NAME",
  },
} as const satisfies OptionTable;

export type LoraOptions = Values<typeof loraOptions>;

/** What the adapter's product is multiplied with. */
export function loraScale({ r, lora_alpha, use_rslora }: LoraConfig): number {
  return lora_alpha / (use_rslora ? Math.sqrt(r) : r);
}

/** The linear layers of a block that `target_modules` means; a `UserError` names those that match nothing. */
export function targetsOf(config: LoraConfig, linears: readonly Linear[]): Linear[] {
  const wanted = config.target_modules;
  if (wanted.length === 1 && wanted[0] === "all-linear") return [...linears];
  const last = (name: string) => name.slice(name.lastIndexOf(".") + 1);
  const matches = (linear: Linear, target: string) => linear.name === target || last(linear.name) === target;
  const unknown = wanted.filter((target) => !linears.some((linear) => matches(linear, target)));
  if (unknown.length > 0) {
    const known = linears.map((linear) => last(linear.name));
    const near = nearestName(unknown[0]!, known);
    throw new UserError(
      `Expected target_modules among ${known.join(", ")}, found ${unknown.join(", ")}${near ? ` (did you mean ${near}?)` : ""}`,
    );
  }
  return linears.filter((linear) => wanted.some((target) => matches(linear, target)));
}

/** Names and shapes of the adapter's arrays on one linear layer. */
export function loraShapes({ r }: LoraConfig, { name, shape }: Linear): { name: string; shape: number[] }[] {
  const [out, inner] = shape as [number, number];
  return [
    { name: `${name}.lora_A.weight`, shape: [r, inner] },
    { name: `${name}.lora_B.weight`, shape: [out, r] },
  ];
}

/** A fresh adapter on every targeted layer of every block: A [r, in], B [out, r] of zeros, so that the output is still
 * the base's. */
export function createLora(
  config: LoraConfig,
  model: {
    readonly linears: readonly Linear[];
    readonly num_hidden_layers: number;
    readonly blockPrefix: (layer: number) => string;
  },
  random: Random,
): Adapter {
  const targets = targetsOf(config, model.linears);
  const arrays = new Map<string, TrainedArray>();
  for (let layer = 0; layer < model.num_hidden_layers; layer++) {
    for (const target of targets) {
      const [a, b] = loraShapes(config, target) as [
        { name: string; shape: number[] },
        { name: string; shape: number[] },
      ];
      const bound = 1 / Math.sqrt(a.shape[1]!);
      const values = Float32Array.from(
        { length: a.shape[0]! * a.shape[1]! },
        () => bound * (2 * random.uniform() - 1),
      );
      arrays.set(model.blockPrefix(layer) + a.name, { shape: a.shape, data: values });
      arrays.set(model.blockPrefix(layer) + b.name, {
        shape: b.shape,
        data: new Float32Array(b.shape[0]! * b.shape[1]!),
      });
    }
  }
  return { config, arrays };
}

type LinearHook = (x: Tensor, names: readonly string[]) => readonly Tensor[];

/** A `linear` hook that adds the adapter's product where a layer has one. */
export function withLora(
  config: LoraConfig,
  targets: readonly Linear[],
  hooks: { readonly linear: LinearHook; readonly parameter: (name: string) => Tensor },
): LinearHook {
  const targeted = new Set(targets.map((target) => target.name));
  return (x, names) =>
    hooks.linear(x, names).map((y, i) => {
      const name = names[i]!;
      if (!targeted.has(name)) return y;
      const hidden = apply("Gemm", [x, hooks.parameter(`${name}.lora_A.weight`)], { transB: 1 });
      // The base's output rides as the product's addend: one pass over it instead of two.
      return apply("Gemm", [hidden, hooks.parameter(`${name}.lora_B.weight`), y], {
        transB: 1,
        alpha: loraScale(config),
      });
    });
}
