// Reads and writes a LoRA as PEFT has it: `adapter_config.json` and `adapter_model.safetensors`, names behind
// `base_model.model.`. Format: peft:src/peft/utils/save_and_load.py; the config is in `peft-config.ts`.

import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson } from "../base/files.ts";
import { openSafetensors, type SafetensorsFile, writeSafetensors } from "../weights/safetensors.ts";
import type { Adapter, LoraConfig, TrainedArray } from "./adapter.ts";
import { type AdapterBase, parsePeftConfig, peftConfig } from "./peft-config.ts";
import { writePythonJson } from "./python-json.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
const PREFIX = "base_model.model.";
const HEAD = "lm_head.weight";

/** Writes the folder; the config comes last, so that a folder with a config is whole. */
export function writePeft(folder: string, adapter: Adapter<LoraConfig>, base: AdapterBase): void {
  const arrays = new Map([...adapter.arrays].map(([name, array]) => [PREFIX + name, array]));
  const embedding = arrays.get(`${PREFIX}${base.tied}`);
  if (embedding) arrays.set(PREFIX + HEAD, embedding);
  writeSafetensors(join(folder, WEIGHTS), arrays);
  writePythonJson(join(folder, CONFIG), peftConfig(adapter, base));
}

/** An adapter, and whether a trained embedding is the head too. */
export type PeftAdapter = Adapter<LoraConfig> & { readonly tied: boolean };

/** Reads the folder; refuses with a `UserError` what would change the mathematics if it were ignored. */
export function readPeft(folder: string): PeftAdapter {
  const path = join(folder, CONFIG);
  const file = readJson(path);
  const source = openSafetensors(join(folder, WEIGHTS));
  try {
    const names = [...source.arrays.keys()].map((name) => shortName(name, source));
    const config = parsePeftConfig(file, { path, names });
    const tied = (file as { ensure_weight_tying?: unknown } | null)?.ensure_weight_tying === true;
    // A tied head is written beside the embedding that it is.
    const own = names.filter((name) => !(tied && name === HEAD));
    requireOwn(config, own, source);
    return { config, arrays: new Map(own.map((name) => [name, read(source, PREFIX + name)])), tied };
  } finally {
    source.dispose();
  }
}

function shortName(name: string, { path }: SafetensorsFile): string {
  if (name.startsWith(PREFIX)) return name.slice(PREFIX.length);
  throw new UserError(`Expected LoRA arrays behind ${PREFIX} in ${path}, found ${name}`);
}

/** Every array is the LoRA's own, or of a module that is trained whole. */
function requireOwn(config: LoraConfig, names: readonly string[], { path }: SafetensorsFile): void {
  const saved = config.modules_to_save;
  const strange = names.filter((name) => {
    if (/\.(lora_[AB]\.weight|lora_magnitude_vector)$/.test(name)) return false;
    const module = name.replace(/\.(weight|bias)$/, "");
    return !saved.some((wanted) => module.endsWith(wanted));
  });
  if (strange.length === 0) return;
  throw new UserError(
    `Expected LoRA arrays behind ${PREFIX} in ${path}, found ${strange.map((name) => PREFIX + name).join(", ")}`,
  );
}

function read(source: SafetensorsFile, name: string): TrainedArray {
  return { shape: source.arrays.get(name)!.shape, data: source.read(name) };
}
