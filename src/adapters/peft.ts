// Reads and writes adapters as PEFT has them: `adapter_config.json` and `adapter_model.safetensors`, names behind
// `base_model.model.`. Format: peft:src/peft/config.py, src/peft/utils/save_and_load.py.

import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson, writeJson } from "../base/files.ts";
import { openSafetensors, writeSafetensors } from "../weights/safetensors.ts";
import type { Adapter, LoraConfig, TrainedArray } from "./adapter.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
const PREFIX = "base_model.model.";

/** Where the adapter belongs: written into its config. */
export type AdapterBase = { readonly base_model_name_or_path: string | null };

/** Writes the folder; the config comes last, so that a folder with a config is whole. */
export function writePeft(folder: string, adapter: Adapter, base: AdapterBase): void {
  const arrays = new Map([...adapter.arrays].map(([name, array]) => [PREFIX + name, array]));
  writeSafetensors(join(folder, WEIGHTS), arrays);
  writeJson(join(folder, CONFIG), configFile(adapter, base));
}

/** Keys sorted, as PEFT writes them; where there are no patterns PEFT wants an empty object, not `null`. */
function configFile({ config, arrays }: Adapter, base: AdapterBase): Record<string, unknown> {
  const modules = [...arrays.keys()].map((name) => name.split(".").at(-3)!);
  return {
    alpha_pattern: {},
    base_model_name_or_path: base.base_model_name_or_path,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: config.lora_alpha,
    lora_dropout: 0.0,
    modules_to_save: null,
    peft_type: "LORA",
    r: config.r,
    rank_pattern: {},
    revision: null,
    target_modules: [...new Set(modules)].sort(),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: config.use_rslora,
  };
}

/** Reads the folder; refuses with a `UserError` what would change the mathematics if it were ignored. */
export function readPeft(folder: string): Adapter {
  const file = readJson(join(folder, CONFIG)) as Record<string, unknown>;
  const config = parseConfig(file, folder);
  const source = openSafetensors(join(folder, WEIGHTS));
  try {
    const arrays = new Map<string, TrainedArray>();
    for (const [name, { shape }] of source.arrays) {
      if (!name.startsWith(PREFIX) || !/\.lora_[AB]\.weight$/.test(name)) {
        throw new UserError(
          `Expected LoRA arrays behind ${PREFIX} in ${join(folder, WEIGHTS)}, found ${name}`,
        );
      }
      arrays.set(name.slice(PREFIX.length), { shape, data: source.read(name) });
    }
    return { config, arrays };
  } finally {
    source.dispose();
  }
}

const REFUSED: readonly (readonly [string, readonly unknown[]])[] = [
  ["peft_type", ["LORA"]],
  ["bias", ["none", undefined]],
  ["use_dora", [false, null, undefined]],
  ["fan_in_fan_out", [false, undefined]],
  ["modules_to_save", [null, undefined]],
  ["layers_to_transform", [null, undefined]],
];

function parseConfig(file: Record<string, unknown>, folder: string): LoraConfig {
  for (const [key, allowed] of REFUSED) {
    if (!allowed.includes(file[key])) {
      const wanted = JSON.stringify(allowed[0]);
      throw new UserError(
        `Expected ${key} ${wanted} in ${join(folder, CONFIG)}, found ${JSON.stringify(file[key])}`,
      );
    }
  }
  for (const key of ["rank_pattern", "alpha_pattern"]) {
    if (Object.keys((file[key] as object | undefined) ?? {}).length > 0) {
      throw new UserError(
        `Expected an empty ${key} in ${join(folder, CONFIG)}, found ${JSON.stringify(file[key])}`,
      );
    }
  }
  const { r, lora_alpha, target_modules } = file;
  if (typeof r !== "number" || typeof lora_alpha !== "number" || !Array.isArray(target_modules)) {
    throw new UserError(
      `Expected r, lora_alpha and target_modules in ${join(folder, CONFIG)}, found not all of them`,
    );
  }
  const targets = target_modules.map(String);
  return { kind: "lora", r, lora_alpha, use_rslora: file.use_rslora === true, target_modules: targets };
}
