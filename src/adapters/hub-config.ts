// AdapterHub's `adapter_config.json`: all keys of `BnConfig` or `LoRAConfig`, floats as floats, and what is read of
// them. Keys, values and the two traps of old versions: adapters:src/adapters/configuration/adapter_config.py and
// loading.py.

import { UserError } from "../base/errors.ts";
import { showValue } from "../base/show.ts";
import { activations } from "./activations.ts";
import type { AdapterConfig, BottleneckConfig, LoraConfig } from "./adapter.ts";
import { requireFactor } from "./bottleneck-options.ts";
import { hubModelOf, isInverseBeforeLogits } from "./hub-models.ts";
import { type Adaptable, blockParametersOf, chainsOf, linearsOf } from "./kind.ts";
import { loraScale, targetsOf } from "./lora.ts";
import { Float, type PythonJson } from "./python-json.ts";

/** A model as the files of AdapterHub name it. */
export type HubLayers = Adaptable & { readonly model_type: string };

/** The inner `config` of a file. */
export function hubConfig(config: AdapterConfig, model: HubLayers): PythonJson {
  return config.kind === "lora" ? loraFile(config, model) : bottleneckFile(config);
}

function bottleneckFile(config: BottleneckConfig): PythonJson {
  const { mh_adapter, output_adapter, cross_adapter, non_linearity, is_parallel, init_weights } = config;
  const { original_ln_before, original_ln_after, residual_before_ln, inv_adapter, leave_out } = config;
  return {
    ...{ mh_adapter, output_adapter, cross_adapter, non_linearity, is_parallel, init_weights },
    ...{ original_ln_before, original_ln_after, residual_before_ln, inv_adapter, leave_out },
    reduction_factor: config.reduction_factor,
    inv_adapter_reduction_factor: config.inv_adapter_reduction_factor,
    scaling: new Float(config.scaling),
    dropout: new Float(config.dropout),
    ...{ ln_before: false, ln_after: false, use_gating: false, adapter_residual_before_ln: false },
    ...{ init_weights_seed: null, phm_layer: false, phm_dim: 4, factorized_phm_W: true, shared_W_phm: false },
    ...{ shared_phm_rule: true, factorized_phm_rule: false, phm_c_init: "normal", learn_phm: true },
    ...{ phm_init_range: new Float(0.0001), hypercomplex_nonlinearity: "glorot-uniform", phm_rank: 1 },
    ...{ phm_bias: true, stochastic_depth: new Float(0) },
  };
}

/** Linear layers with a LoRA that adapters cannot put one on, or not without putting it on others too. */
export function unplacedTargets(config: LoraConfig, model: HubLayers): string[] {
  const { loras } = hubModelOf(model.model_type);
  const all = linearsOf(chainsOf(model)[0]!);
  const targets = new Set(targetsOf(config, all).map(({ name }) => name));
  const left = new Set(all.flatMap(({ name }) => (targets.has(name) ? [] : [loras[name]])));
  return [...targets].filter((name) => loras[name] === undefined || left.has(loras[name]));
}

/** Layers with a bias that adapters' DoRA would scale with the rest, which PEFT and the paper do not. */
export function biasedTargets(config: LoraConfig, model: HubLayers): string[] {
  const [chain] = chainsOf(model);
  const biases = new Set(blockParametersOf(chain!).map(({ name }) => name));
  const targets = config.use_dora ? targetsOf(config, linearsOf(chain!)) : [];
  return targets.flatMap(({ name }) => (biases.has(`${name}.bias`) ? [name] : []));
}

/** Blocks as adapters counts them, over all chains, each by its number within its chain. */
function layersOf(model: HubLayers): number[] {
  return chainsOf(model).flatMap(({ num_hidden_layers }) => [...Array(num_hidden_layers).keys()]);
}

/** adapters has no rsLoRA: its `alpha` gives the same scale. A DoRA's scale is in B, since its norm leaves it out. */
function loraFile(config: LoraConfig, model: HubLayers): PythonJson {
  const { loras } = hubModelOf(model.model_type);
  const used = new Set(targetsOf(config, linearsOf(chainsOf(model)[0]!)).map(({ name }) => loras[name]));
  const letters = (["q", "k", "v"] as const).filter((letter) => used.has(letter));
  const alpha = config.use_dora ? config.r : loraScale(config) * config.r;
  return {
    architecture: "lora",
    selfattn_lora: letters.length > 0,
    intermediate_lora: used.has("intermediate_lora"),
    output_lora: used.has("output_lora"),
    leave_out: layersOf(model).flatMap((layer, number) =>
      config.layers_to_transform?.includes(layer) === false ? [number] : [],
    ),
    r: config.r,
    alpha: Number.isInteger(alpha) ? alpha : new Float(alpha),
    dropout: new Float(config.lora_dropout),
    attn_matrices: letters,
    ...{ composition_mode: "add", init_weights: "lora", init_weights_seed: null, use_gating: false },
    ...{ use_dora: config.use_dora, vera_d: null, vera_b: null, dtype: null },
  };
}

type Rule = readonly [key: string, wanted: string, allowed: (value: unknown) => boolean];

const isAbsent = (value: unknown) => value === undefined || value === null;
const isNumber = (value: unknown) => typeof value === "number" && Number.isFinite(value);
const isOff = (value: unknown) => isAbsent(value) || value === false || value === 0;
const isSwitch = (value: unknown) => isAbsent(value) || typeof value === "boolean";
const isLayers = (value: unknown) =>
  isAbsent(value) || (Array.isArray(value) && value.every((layer) => Number.isInteger(layer) && layer >= 0));

const BOTTLENECK_RULES: readonly Rule[] = [
  ["mh_adapter", "true or false", (value) => typeof value === "boolean"],
  ["output_adapter", "true or false", (value) => typeof value === "boolean"],
  ["reduction_factor", "a number or one a layer", isFactor],
  ["non_linearity", `one of ${Object.keys(activations).join(", ")}`, isActivation],
  ["scaling", "a number", (value) => isAbsent(value) || isNumber(value)],
  ["inv_adapter", '"nice" or nothing', (value) => isAbsent(value) || value === "nice"],
  ["inv_adapter_reduction_factor", "a number", (value) => isAbsent(value) || isNumber(value)],
  ["leave_out", "layer numbers", isLayers],
  ["dropout", "a number", (value) => isAbsent(value) || isNumber(value)],
  ...["original_ln_before", "original_ln_after", "residual_before_ln", "is_parallel", "cross_adapter"].map(
    (key): Rule => [key, "true or false", isSwitch],
  ),
  ...["ln_before", "ln_after", "use_gating", "phm_layer", "stochastic_depth"].map(
    (key): Rule => [key, "nothing", isOff],
  ),
];

const LORA_RULES: readonly Rule[] = [
  ["r", "a whole number above 0", (value) => Number.isInteger(value) && (value as number) > 0],
  ["alpha", "a number", isNumber],
  ["composition_mode", '"add"', (value) => isAbsent(value) || value === "add"],
  ["attn_matrices", "among q, k, v", isMatrices],
  ["leave_out", "layer numbers", isLayers],
  ["dropout", "a number", (value) => isAbsent(value) || isNumber(value)],
  ["use_dora", "true or false", isSwitch],
  ...["use_gating", "vera_d", "vera_b"].map((key): Rule => [key, "nothing", isOff]),
];

function isFactor(value: unknown): boolean {
  try {
    requireFactor("reduction_factor", value);
    return true;
  } catch {
    return false;
  }
}

function isActivation(value: unknown): boolean {
  return typeof value === "string" && Object.hasOwn(activations, value.toLowerCase());
}

function isMatrices(value: unknown): boolean {
  return (
    isAbsent(value) || (Array.isArray(value) && value.every((letter) => ["q", "k", "v"].includes(letter)))
  );
}

type File = Readonly<Record<string, unknown>>;

/** The configuration in a whole file; a `UserError` names everything in it that is not supported. */
export function parseHubConfig(file: File, path: string, model: HubLayers): AdapterConfig {
  const inner = withoutLegacy(file);
  const isLora = inner.architecture === "lora";
  const rules: Rule = ["architecture", "lora or nothing", (value) => isAbsent(value) || value === "lora"];
  const problems = [
    ...(file.model_type === model.model_type
      ? []
      : [`model_type ${model.model_type} but ${showValue(file.model_type)}`]),
    ...[rules, ...(isLora ? LORA_RULES : BOTTLENECK_RULES)]
      .filter(([key, , allowed]) => !allowed(inner[key]))
      .map(([key, wanted]) => `${key} ${wanted} but ${showValue(inner[key])}`),
  ];
  if (problems.length > 0) {
    throw new UserError(
      `Expected an adapter as it can be computed here in ${path}, found not ${problems.join("; not ")}`,
    );
  }
  return isLora ? parseLora(inner, file, { path, model }) : parseBottleneck(inner, file);
}

const RENAMED: ReadonlyMap<unknown, string> = new Map([
  ["gelu", "gelu_new"],
  ["gelu_orig", "gelu"],
]);

/** Files without a version name activations in the old way; older ones still keep the invertible adapter nested. */
function withoutLegacy(file: File): File {
  const inner = typeof file.config === "object" && file.config !== null ? (file.config as File) : {};
  const nested = inner.invertible_adapter as { block_type?: unknown; reduction_factor?: unknown } | null;
  return {
    ...inner,
    ...(nested
      ? { inv_adapter: nested.block_type, inv_adapter_reduction_factor: nested.reduction_factor }
      : {}),
    ...(file.version === undefined && RENAMED.has(inner.non_linearity)
      ? { non_linearity: RENAMED.get(inner.non_linearity) }
      : {}),
  };
}

function parseBottleneck(inner: File, file: File): BottleneckConfig {
  const { original_ln_after = true, residual_before_ln = true, is_parallel = false } = inner;
  const { mh_adapter, output_adapter, cross_adapter = false, original_ln_before = false } = inner;
  const switches = { mh_adapter, output_adapter, cross_adapter, original_ln_before, original_ln_after };
  const isInvertible = inner.inv_adapter === "nice";
  return {
    ...(switches as Record<keyof typeof switches, boolean>),
    kind: "bottleneck",
    residual_before_ln: residual_before_ln === true,
    is_parallel: is_parallel === true,
    reduction_factor: requireFactor("reduction_factor", inner.reduction_factor),
    non_linearity: String(inner.non_linearity).toLowerCase() as BottleneckConfig["non_linearity"],
    scaling: (inner.scaling as number | undefined) ?? 1,
    init_weights: (inner.init_weights as BottleneckConfig["init_weights"] | undefined) ?? "bert",
    inv_adapter: isInvertible ? "nice" : null,
    inv_adapter_reduction_factor: isInvertible
      ? ((inner.inv_adapter_reduction_factor as number | null) ?? 2)
      : null,
    inverse_before_logits: isInvertible && isInverseBeforeLogits(String(file.model_type), file.model_class),
    leave_out: (inner.leave_out as number[] | null | undefined) ?? [],
    dropout: (inner.dropout as number | undefined) ?? 0,
    modules_to_save: [],
  };
}

function parseLora(inner: File, file: File, { path, model }: { path: string; model: HubLayers }): LoraConfig {
  const { r, use_dora = false } = inner as { r: number; use_dora?: boolean };
  // Versions before 1.1.0 left the scale out.
  const isFaulty = /^adapters\.(0\.|1\.0\.)/.test(String(file.version));
  const alpha = isFaulty ? r : (inner.alpha as number);
  if (use_dora && alpha !== r) {
    throw new UserError(
      `Expected alpha equal to r of a DoRA in ${path}, found ${alpha} and ${r}: the norm there leaves out the scale, which is another function`,
    );
  }
  const matrices =
    inner.selfattn_lora === false ? [] : ((inner.attn_matrices as string[] | null) ?? ["q", "v"]);
  const left = (inner.leave_out as number[] | null | undefined) ?? [];
  const { loras } = hubModelOf(model.model_type);
  const isTarget = (place: string) => matrices.includes(place) || inner[place] === true;
  return {
    ...{ kind: "lora", r, lora_alpha: alpha, use_rslora: false, use_dora },
    lora_dropout: (inner.dropout as number | undefined) ?? 0,
    target_modules: linearsOf(chainsOf(model)[0]!).flatMap(({ name }) =>
      loras[name] !== undefined && isTarget(loras[name]) ? [name] : [],
    ),
    layers_to_transform: left.length === 0 ? null : layersBut(left, { path, model }),
    modules_to_save: [],
  };
}

/** The numbers within their chains of the blocks that are not left out; an encoder and a decoder must agree on them. */
function layersBut(left: readonly number[], { path, model }: { path: string; model: HubLayers }): number[] {
  const layers = layersOf(model);
  const kept = new Set(layers.filter((_, number) => !left.includes(number)));
  const uneven = layers.filter((layer, number) => left.includes(number) && kept.has(layer));
  if (uneven.length === 0) return [...kept].sort((a, b) => a - b);
  throw new UserError(
    `Expected leave_out to leave out the same blocks of encoder and decoder in ${path}, found only one of each block ${uneven.join(", ")}; train a LoRA as PEFT's files instead`,
  );
}
