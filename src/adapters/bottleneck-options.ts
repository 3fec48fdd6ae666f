// The options of bottleneck adapters, by AdapterHub's names and with its values
// (adapters:src/adapters/configuration/adapter_config.py), and the names of the kinds, of both generations.

import { UsageError } from "../base/errors.ts";
import type { OptionTable, Values } from "../base/options.ts";
import { activations } from "./activations.ts";
import type { BottleneckConfig } from "./adapter.ts";
import { parseLayers } from "./layers.ts";

export const bottleneckOptions = {
  reduction_factor: {
    type: "number",
    default: 16,
    help: "Hidden size over the width of a bottleneck",
    value: "X",
    unset: "16, of par_bn 2",
  },
  non_linearity: {
    type: "string",
    default: "relu",
    choices: Object.keys(activations),
    help: "Function inside a bottleneck",
    value: "NAME",
    unset: "relu, of double_seq_bn swish",
  },
  mh_adapter: {
    type: "boolean",
    default: false,
    help: "A bottleneck after attention",
    unset: "with double_seq_bn",
  },
  output_adapter: { type: "boolean", default: true, help: "A bottleneck after the feed-forward layer" },
  cross_adapter: { type: "boolean", default: false, help: "A bottleneck after attention to the encoder" },
  scaling: {
    type: "number",
    default: 1,
    help: "What a bottleneck's output is multiplied with",
    value: "X",
    unset: "1, of par_bn 4",
  },
  original_ln_before: {
    type: "boolean",
    default: true,
    help: "Feed a bottleneck the residual stream after its sub-layer",
    unset: "with seq_bn",
  },
  original_ln_after: {
    type: "boolean",
    default: true,
    help: "Add the residual stream after a bottleneck",
  },
  residual_before_ln: {
    type: "boolean",
    default: true,
    help: "Add the sub-layer's output, not the bottleneck's input",
  },
  is_parallel: {
    type: "boolean",
    default: false,
    help: "Feed a bottleneck what its sub-layer is fed",
    unset: "with par_bn",
  },
  init_weights: {
    type: "string",
    default: "bert",
    choices: ["bert", "mam_adapter", "houlsby"],
    help: "How a bottleneck starts",
    value: "NAME",
    unset: "bert, of par_bn mam_adapter",
  },
  inv_adapter: {
    type: "string",
    default: null,
    choices: ["nice"],
    help: "An invertible adapter on the embeddings",
    value: "NAME",
    unset: "with +inv",
  },
  inv_adapter_reduction_factor: {
    type: "number",
    default: null,
    help: "Its half size over its width",
    value: "X",
    unset: "2",
  },
  leave_out: {
    type: "strings",
    default: [],
    help: "Numbers of the layers without a bottleneck, such as 3 or 0-9",
    value: "N",
    unset: "none",
  },
  dropout: {
    type: "number",
    default: 0,
    help: "Share of a bottleneck's outputs that a training step leaves out",
    value: "X",
    least: 0,
  },
} as const satisfies OptionTable;

const INVERTIBLE = { inv_adapter: "nice", inv_adapter_reduction_factor: 2 };
const seq_bn = {};
const double_seq_bn = { original_ln_before: false, mh_adapter: true, non_linearity: "swish" };
const par_bn = {
  ...{ original_ln_before: false, is_parallel: true, reduction_factor: 2 },
  ...{ scaling: 4, init_weights: "mam_adapter" },
};

/** What each name of a kind presets: the plain ones, and with the invertible adapter. */
export const bottleneckPresets = withInvertible({
  pfeiffer: seq_bn,
  seq_bn,
  houlsby: double_seq_bn,
  double_seq_bn,
  par_bn,
});

function withInvertible(plain: Readonly<Record<string, object>>) {
  const pairs = Object.entries(plain).flatMap(([name, preset]) => [
    [name, preset],
    [`${name}+inv`, { ...preset, ...INVERTIBLE }],
    [`${name}_inv`, { ...preset, ...INVERTIBLE }],
  ]);
  return Object.fromEntries(pairs) as Readonly<Record<string, object>>;
}

/** The configuration of complete values. */
export function bottleneckConfig(
  values: object,
  { modules_to_save }: Pick<BottleneckConfig, "modules_to_save">,
): BottleneckConfig {
  const given = values as Values<typeof bottleneckOptions>;
  const names = Object.keys(bottleneckOptions);
  const own = Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name)));
  return {
    ...(own as unknown as BottleneckConfig),
    kind: "bottleneck",
    reduction_factor: requireFactor("reduction_factor", given.reduction_factor),
    inv_adapter_reduction_factor:
      given.inv_adapter === null ? null : (given.inv_adapter_reduction_factor ?? 2),
    inverse_before_logits: false,
    leave_out: parseLayers("leave_out", given.leave_out),
    modules_to_save,
  };
}

/** A positive number, or one for each layer that is named and a `default` for the others. */
export function requireFactor(name: string, found: unknown): BottleneckConfig["reduction_factor"] {
  const positive = (value: unknown) => typeof value === "number" && value > 0 && Number.isFinite(value);
  if (positive(found)) return found as number;
  if (typeof found === "object" && found !== null && !Array.isArray(found)) {
    const map = found as Readonly<Record<string, number>>;
    if (Object.hasOwn(map, "default") && Object.values(map).every(positive)) return map;
  }
  throw new UsageError(
    `Expected a positive number for ${name}, or one a layer such as {'1': 8, 'default': 16}, found ${JSON.stringify(found)}`,
  );
}
