// The options of a LoRA, by PEFT's names (peft:src/peft/tuners/lora/config.py), and the names that preset some.

import type { OptionTable, Values } from "../base/options.ts";
import type { LoraConfig } from "./adapter.ts";
import { parseLayers } from "./layers.ts";

export const loraOptions = {
  r: { type: "integer", default: 8, help: "Rank of a LoRA", value: "N", least: 1 },
  lora_alpha: { type: "number", default: 16, help: "Scale of a LoRA: lora_alpha / r", value: "X", least: 0 },
  use_rslora: { type: "boolean", default: false, help: "Scale a LoRA by lora_alpha / sqrt(r) instead" },
  use_dora: { type: "boolean", default: false, help: "Train the sizes of a LoRA's rows apart (DoRA)" },
  lora_dropout: {
    type: "number",
    default: 0,
    help: "Share of a LoRA's inputs that a training step leaves out",
    value: "X",
    least: 0,
  },
  target_modules: {
    type: "strings",
    default: ["all-linear"],
    help: "Linear layers that get a LoRA, by name, or all-linear",
    value: "NAME",
  },
  layers_to_transform: {
    type: "strings",
    default: [],
    help: "Numbers of the layers that get a LoRA, such as 3 or 20-29",
    value: "N",
    unset: "all",
  },
} as const satisfies OptionTable;

export type LoraOptions = Values<typeof loraOptions>;

/** What each name of a kind presets. */
export const loraPresets = { lora: {}, rslora: { use_rslora: true }, dora: { use_dora: true } };

/** The configuration of complete values. */
export function loraConfig(
  values: object,
  { modules_to_save }: Pick<LoraConfig, "modules_to_save">,
): LoraConfig {
  const { layers_to_transform, ...rest } = values as LoraOptions;
  const layers = parseLayers("layers_to_transform", layers_to_transform);
  const { r, lora_alpha, use_rslora, use_dora, lora_dropout, target_modules } = rest;
  return {
    kind: "lora",
    ...{ r, lora_alpha, use_rslora, use_dora, lora_dropout, target_modules, modules_to_save },
    layers_to_transform: layers.length === 0 ? null : layers,
  };
}
