// PEFT's `adapter_config.json` of a LoRA, written with the keys that PEFT 0.21 reads and read with what it may hold.
// Keys and meanings: peft:src/peft/config.py, src/peft/tuners/lora/config.py.

import { UserError } from "../base/errors.ts";
import type { Adapter, LoraConfig } from "./adapter.ts";
import { Float, type PythonJson } from "./python-json.ts";
import { lastPart } from "./select.ts";

/** Where the adapter belongs: written into its config. */
export type AdapterBase = {
  readonly base_model_name_or_path: string | null;
  readonly revision?: string | null;
  /** Of an encoder and decoder SEQ_2_SEQ_LM. */
  readonly task_type?: "CAUSAL_LM" | "SEQ_2_SEQ_LM";
  /** The embedding's name where the head is tied to it: trained whole, it is both. */
  readonly tied?: string | undefined;
};

/** An encoder's and a decoder's blocks have numbered parts: without their name PEFT would count those. */
const BLOCKS = "block";

/** The file's value. Where there are no patterns PEFT wants an empty object, not `null`. */
export function peftConfig({ config, arrays }: Adapter<LoraConfig>, base: AdapterBase): PythonJson {
  const targeted = [...arrays.keys()].flatMap((name) => /(.*)\.lora_A\.weight$/.exec(name)?.[1] ?? []);
  const { modules_to_save, layers_to_transform } = config;
  const isBoth = base.task_type === "SEQ_2_SEQ_LM";
  return {
    alpha_pattern: {},
    base_model_name_or_path: base.base_model_name_or_path,
    bias: "none",
    ensure_weight_tying: base.tied !== undefined && modules_to_save.length > 0,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: isBoth && layers_to_transform !== null ? BLOCKS : null,
    layers_to_transform,
    lora_alpha: config.lora_alpha,
    lora_dropout: new Float(config.lora_dropout),
    modules_to_save: modules_to_save.length === 0 ? null : modules_to_save,
    peft_type: "LORA",
    r: config.r,
    rank_pattern: {},
    revision: base.revision ?? null,
    target_modules: namesFor(config, targeted, isBoth),
    task_type: base.task_type ?? "CAUSAL_LM",
    use_dora: config.use_dora,
    use_rslora: config.use_rslora,
  };
}

/** By their last parts; where those stand for more than was meant, as of an encoder and a decoder, by the names given. */
function namesFor(
  { target_modules }: LoraConfig,
  targeted: readonly string[],
  isBoth: boolean,
): readonly string[] {
  const given = isBoth && !target_modules.includes("all-linear");
  return [...new Set(given ? target_modules : targeted.map(lastPart))].sort();
}

type Allowed = readonly [key: string, wanted: string, allowed: (value: unknown) => boolean];

const isEmpty = (value: unknown) =>
  value === null ||
  value === undefined ||
  value === false ||
  (typeof value === "object" && Object.keys(value).length === 0);
const isSwitch = (value: unknown) => value === undefined || value === null || typeof value === "boolean";
const isNames = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === "string");

/** What the file must say for the arrays to mean what we compute. */
const RULES: readonly Allowed[] = [
  ["peft_type", '"LORA"', (value) => value === "LORA"],
  ["r", "a whole number above 0", (value) => Number.isInteger(value) && (value as number) > 0],
  ["lora_alpha", "a number", (value) => typeof value === "number"],
  ["target_modules", "names or a pattern", (value) => isNames(value) || typeof value === "string"],
  ["bias", '"none"', (value) => isEmpty(value) || value === "none"],
  ["use_dora", "true or false", isSwitch],
  ["use_rslora", "true or false", isSwitch],
  ["modules_to_save", "names or null", (value) => isEmpty(value) || isNames(value)],
  ["layers_to_transform", "layer numbers or null", (value) => isEmpty(value) || layersIn(value) !== null],
  ...[
    ...["fan_in_fan_out", "rank_pattern", "alpha_pattern", "lora_bias", "trainable_token_indices"],
    ...["layer_replication", "use_qalora", "alora_invocation_tokens", "target_parameters", "megatron_config"],
    ...["arrow_config", "use_bdlora", "velora_config", "monteclora_config", "loftq_config", "eva_config"],
  ].map((key): Allowed => [key, "nothing", isEmpty]),
];

/** The configuration in a file's value; a `UserError` names everything in it that is not supported. */
export function parsePeftConfig(
  value: unknown,
  { path, names }: { path: string; names: readonly string[] },
): LoraConfig {
  const file = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const problems = RULES.filter(([key, , allowed]) => !allowed(file[key]));
  if (problems.length > 0) {
    const said = problems.map(
      ([key, wanted]) => `${key} ${wanted} but ${JSON.stringify(file[key]) ?? "none"}`,
    );
    throw new UserError(
      `Expected a LoRA as it can be computed here in ${path}, found not ${said.join("; not ")}`,
    );
  }
  const { r, lora_alpha } = file as { r: number; lora_alpha: number };
  return {
    ...{
      kind: "lora",
      r,
      lora_alpha,
      use_rslora: file.use_rslora === true,
      use_dora: file.use_dora === true,
    },
    lora_dropout: typeof file.lora_dropout === "number" ? file.lora_dropout : 0,
    modules_to_save: isEmpty(file.modules_to_save) ? [] : (file.modules_to_save as string[]),
    ...(typeof file.target_modules === "string"
      ? placesIn(names)
      : {
          target_modules: file.target_modules as string[],
          layers_to_transform: layersIn(file.layers_to_transform),
        }),
  };
}

/** A number or some; `null` where it is neither. */
function layersIn(value: unknown): number[] | null {
  const layers = typeof value === "number" ? [value] : value;
  return Array.isArray(layers) && layers.every((layer) => Number.isInteger(layer) && layer >= 0)
    ? layers
    : null;
}

/** Where a pattern led, from the names of the arrays: the modules within a block, and the blocks' numbers. */
function placesIn(names: readonly string[]): Pick<LoraConfig, "target_modules" | "layers_to_transform"> {
  const found = names.flatMap((name) => {
    const match = /\.(\d+)\.(.+)\.lora_A\.weight$/.exec(name);
    return match ? [{ layer: Number(match[1]), module: match[2]! }] : [];
  });
  return {
    target_modules: [...new Set(found.map(({ module }) => module))],
    layers_to_transform: [...new Set(found.map(({ layer }) => layer))].sort((a, b) => a - b),
  };
}
