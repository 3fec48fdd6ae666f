// LoRA: y = Wx + s·B(Ax); with DoRA y = m/‖W + s·BA‖ ∘ (Wx + s·B(Ax)), row by row, the norm held constant. Scale,
// initialisation, names and shapes as PEFT has them (peft:src/peft/tuners/lora/layer.py, dora.py): s = lora_alpha / r,
// or lora_alpha / √r with rsLoRA; A uniform in ±1/√in, B zero, m the norms of W's rows.

import {
  add,
  apply,
  concat,
  detach,
  linear,
  mul,
  reduceSum,
  reshape,
  scaled,
  split,
  transpose,
} from "../graph/build.ts";
import { constant, int64s, type Tensor } from "../graph/tensor.ts";
import type { LoraConfig } from "./adapter.ts";
import {
  type AdapterKind,
  type BlockContext,
  type Layers,
  type LinearHook,
  linearsOf,
  outputsOf,
  type Parameter,
  type Planned,
  type Products,
} from "./kind.ts";
import { selectModules } from "./select.ts";

/** What the adapter's product is multiplied with. */
export function loraScale({
  r,
  lora_alpha,
  use_rslora,
}: Pick<LoraConfig, "r" | "lora_alpha" | "use_rslora">): number {
  return lora_alpha / (use_rslora ? Math.sqrt(r) : r);
}

/** The linear layers of a block that `target_modules` means; a `UserError` names those that match nothing. */
export function targetsOf(
  { target_modules }: Pick<LoraConfig, "target_modules">,
  linears: readonly Parameter[],
): Parameter[] {
  if (target_modules.length === 1 && target_modules[0] === "all-linear") return [...linears];
  return selectModules("target_modules", target_modules, linears);
}

/** Those of one chain; what no chain has is refused. */
function targetsIn(config: LoraConfig, model: Layers): Parameter[] {
  const own = new Map(model.linears.map((linear) => [linear.name, linear]));
  return targetsOf(config, linearsOf(model)).flatMap(({ name }) => own.get(name) ?? []);
}

function isOn({ layers_to_transform }: LoraConfig, layer: number): boolean {
  return layers_to_transform === null || layers_to_transform.includes(layer);
}

/** A [r, in], B [out, r] and, with DoRA, the magnitudes [out], of every targeted layer. */
function blockArrays(config: LoraConfig, model: Layers, layer: number): Planned[] {
  if (!isOn(config, layer)) return [];
  return targetsIn(config, model).flatMap(({ name, shape }): Planned[] => {
    const [out, inner] = shape as [number, number];
    const magnitude: Planned = {
      name: `${name}.lora_magnitude_vector`,
      shape: [out],
      initial: { kind: "row-norms", of: `${name}.weight` },
    };
    return [
      {
        name: `${name}.lora_A.weight`,
        shape: [config.r, inner],
        initial: { kind: "uniform", bound: 1 / Math.sqrt(inner) },
      },
      { name: `${name}.lora_B.weight`, shape: [out, config.r], initial: { kind: "zeros" } },
      ...(config.use_dora ? [magnitude] : []),
    ];
  });
}

/** A `linear` hook that adds the adapter's product where a layer has one. */
function withLora(config: LoraConfig, context: BlockContext): LinearHook {
  if (!isOn(config, context.layer)) return context.linear;
  const targeted = new Set(targetsIn(config, context.model).map((target) => target.name));
  const scale = loraScale(config);
  return (x, names) => {
    const own = names.filter((name) => targeted.has(name));
    const masked = own[0] === undefined ? x : context.dropout(x, own[0]);
    const together = config.use_dora || own.length === 0 ? null : context.joint(x, names);
    if (together) return joined(masked, { own, together, scale }, context);
    return context.linear(x, names).map((y, i) => {
      const name = names[i]!;
      if (!targeted.has(name)) return y;
      const hidden = linear(masked, context.parameter(`${name}.lora_A.weight`));
      // The base's output rides as the product's addend: one pass over it instead of two.
      const sum = apply("Gemm", [hidden, context.parameter(`${name}.lora_B.weight`), y], {
        transB: 1,
        alpha: scale,
      });
      return config.use_dora ? mul(sum, magnitudes(name, scale, context)) : sum;
    });
  };
}

type Joined = {
  /** The layers that have an adapter. */
  readonly own: readonly string[];
  /** The base's products. */
  readonly together: readonly Products[];
  readonly scale: number;
};

/** The same for layers whose products are joined: their A's under each other, the B's of a product as blocks of one matrix. */
function joined(x: Tensor, { own, together, scale }: Joined, { parameter, model }: BlockContext): Tensor[] {
  const parts = together.map(({ names }) => names.filter((name) => own.includes(name)));
  const a = (name: string) => parameter(`${name}.lora_A.weight`);
  const hidden = linear(x, concat(own.map(a), 0));
  const widths = parts.map((names) => names.reduce((sum, name) => sum + a(name).shape[0]!, 0));
  const given = widths.filter((width) => width > 0);
  const each = split(hidden, given, 1);
  return together.flatMap(({ names, product }, i) => {
    const outs = outputsOf(model, names);
    if (widths[i] === 0) return split(product, outs, 1);
    const b = blocksOf({ names, outs, own: parts[i]!, width: widths[i]! }, parameter);
    return split(apply("Gemm", [each.shift()!, b, product], { alpha: scale }), outs, 1);
  });
}

type Blocks = {
  readonly names: readonly string[];
  readonly outs: readonly number[];
  readonly own: readonly string[];
  readonly width: number;
};

/** [r of all, sum of outputs]: what of a layer's adapter goes to its outputs, zeros elsewhere. */
function blocksOf({ names, outs, own, width }: Blocks, parameter: BlockContext["parameter"]): Tensor {
  let row = 0;
  // Turned: so their gradients too come from products whose first operand is the narrow one.
  const columns = names.map((name, i) => {
    if (!own.includes(name))
      return constant("float32", [width, outs[i]!], new Float32Array(outs[i]! * width));
    const b = transpose(parameter(`${name}.lora_B.weight`), [1, 0]);
    const before = row;
    row += b.shape[0]!;
    return before === 0 && row === width ? b : apply("Pad", [b, int64s([before, 0, width - row, 0])]);
  });
  return concat(columns, 1);
}

/** m/‖W + s·BA‖ as [1, out]; of frozen arrays it is what stands in m's place. */
function magnitudes(name: string, scale: number, { parameter, frozen }: BlockContext): Tensor {
  const m = parameter(`${name}.lora_magnitude_vector`);
  const row = (x: Tensor) => reshape(x, [1, m.shape[0]!]);
  if (frozen) return row(m);
  const [w, a, b] = ["weight", "lora_A.weight", "lora_B.weight"].map((part) => parameter(`${name}.${part}`));
  return row(apply("Div", [m, detach(rowNorms(w!, { a: a!, b: b!, scale }))]));
}

/** ‖W + s·BA‖ of each row, from ‖W‖² + 2s·W·BA + s²·‖BA‖², so that no matrix as large as W is made but one. */
function rowNorms(w: Tensor, { a, b, scale }: { a: Tensor; b: Tensor; scale: number }): Tensor {
  const rows = (x: Tensor, y: Tensor) => reduceSum(mul(x, y), [1]);
  const cross = scaled(rows(linear(w, a), b), 2 * scale);
  const own = scaled(rows(linear(b, linear(a, a)), b), scale * scale);
  return apply("Sqrt", [add(add(rows(w, w), cross), own)]);
}

export const lora: AdapterKind<LoraConfig> = {
  block: blockArrays,
  outer: () => [],
  hooks: (config, context) => ({ linear: withLora(config, context), join: context.join }),
  afterEmbedding: (_config, _parameter, x) => x,
  beforeLogits: (_config, _parameter, x) => x,
};
