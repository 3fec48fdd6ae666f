// Bottleneck adapters after sub-layers: h = U(act(D(z) + b) ) + c, scaled and added to the residual stream. What z is
// and what is added tells the kinds apart. Formulas, names and initial values: adapters:src/adapters/methods/
// modeling.py and bottleneck.py, for models whose sub-layers end without a norm, as Llama's and T5's do.

import { add, apply, scaled } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";
import { activations } from "./activations.ts";
import type { BottleneckConfig } from "./adapter.ts";
import { invert, invertibleArrays, transform } from "./invertible.ts";
import type { AdapterKind, BlockContext, Initial, JoinHook, Layers, Planned } from "./kind.ts";

/** The number of a layer as adapters counts them: a decoder's go on where its encoder's end. */
function numberOf(model: Layers, layer: number): number {
  return (model.within?.first ?? 0) + layer;
}

/** Width of the bottleneck in a layer, as adapters computes it. */
export function widthOf(config: BottleneckConfig, hidden_size: number, layer: number): number {
  const given = config.reduction_factor;
  const factor = typeof given === "number" ? given : (given[String(layer)] ?? given.default);
  return Math.max(1, Math.floor(hidden_size / factor!));
}

const SWITCH = { attention: "mh_adapter", cross: "cross_adapter", output: "output_adapter" } as const;

/** Names of the places within a block that have a bottleneck. */
function placesOf(config: BottleneckConfig, model: Layers, layer: number): string[] {
  if (config.leave_out.includes(numberOf(model, layer))) return [];
  return model.joins.filter(({ role }) => config[SWITCH[role]]).map(({ name }) => name);
}

function initialsOf({ init_weights }: BottleneckConfig, inner: number): { down: Initial; up: Initial } {
  const normal = (deviation: number): Initial => ({ kind: "normal", deviation });
  switch (init_weights) {
    case "bert":
      return { down: normal(0.02), up: normal(0.02) };
    case "houlsby": {
      const near: Initial = { kind: "normal", deviation: 0.01, within: 2 };
      return { down: near, up: near };
    }
    case "mam_adapter":
      return { down: { kind: "uniform", bound: 1 / Math.sqrt(inner) }, up: { kind: "zeros" } };
  }
}

/** D [width, hidden], U [hidden, width] and their biases, of every place. */
function blockArrays(config: BottleneckConfig, model: Layers, layer: number): Planned[] {
  const d = model.hidden_size;
  const width = widthOf(config, d, numberOf(model, layer));
  const { down, up } = initialsOf(config, d);
  return placesOf(config, model, layer).flatMap((place): Planned[] => [
    { name: `${place}.adapter_down.weight`, shape: [width, d], initial: down },
    { name: `${place}.adapter_down.bias`, shape: [width], initial: { kind: "zeros" } },
    { name: `${place}.adapter_up.weight`, shape: [d, width], initial: up },
    { name: `${place}.adapter_up.bias`, shape: [d], initial: { kind: "zeros" } },
  ]);
}

/** x + f becomes, of a residual stream x and a sub-layer's output f, what the configuration says. */
function withBottleneck(config: BottleneckConfig, context: BlockContext): JoinHook {
  const places = new Set(placesOf(config, context.model, context.layer));
  return (name, x, f) => {
    if (!places.has(name)) return context.join(name, x, f);
    const change = (z: Tensor) => context.dropout(bottleneck(config, context, { name, z }), name);
    if (config.is_parallel) {
      const sum = add(change(x), f);
      return config.original_ln_after ? add(sum, x) : sum;
    }
    const z = config.original_ln_before ? add(f, x) : f;
    const sum = add(change(z), config.residual_before_ln ? f : z);
    return config.original_ln_after ? add(sum, x) : sum;
  };
}

function bottleneck(
  config: BottleneckConfig,
  { parameter }: BlockContext,
  { name, z }: { name: string; z: Tensor },
): Tensor {
  const affine = (x: Tensor, part: string) =>
    apply("Gemm", [x, parameter(`${name}.${part}.weight`), parameter(`${name}.${part}.bias`)], { transB: 1 });
  const up = affine(activations[config.non_linearity](affine(z, "adapter_down")), "adapter_up");
  return config.scaling === 1 ? up : scaled(up, config.scaling);
}

export const bottleneckKind: AdapterKind<BottleneckConfig> = {
  block: blockArrays,
  outer: (config, model) => (config.inv_adapter === null ? [] : invertibleArrays(config, model.hidden_size)),
  hooks: (config, context) => ({ linear: context.linear, join: withBottleneck(config, context) }),
  afterEmbedding: (config, parameter, x) =>
    config.inv_adapter === null ? x : transform(config, parameter, x),
  beforeLogits: (config, parameter, x) =>
    config.inv_adapter !== null && config.inverse_before_logits ? invert(config, parameter, x) : x,
};
