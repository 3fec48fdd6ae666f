// LoRA: y = Wx + s·B(Ax); with DoRA y = m/‖W + s·BA‖ ∘ (Wx + s·B(Ax)), row by row, the norm held constant. Scale,
// initialisation, names and shapes as PEFT has them (peft:src/peft/tuners/lora/layer.py, dora.py): s = lora_alpha / r,
// or lora_alpha / √r with rsLoRA; A uniform in ±1/√in, B zero, m the norms of W's rows.

import { add, apply, detach, linear, mul, reduceSum, reshape, scaled } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { LoraConfig } from "./adapter.ts";
import type { AdapterKind, BlockContext, Layers, LinearHook, Parameter, Planned } from "./kind.ts";
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

function isOn({ layers_to_transform }: LoraConfig, layer: number): boolean {
  return layers_to_transform === null || layers_to_transform.includes(layer);
}

/** A [r, in], B [out, r] and, with DoRA, the magnitudes [out], of every targeted layer. */
function blockArrays(config: LoraConfig, model: Layers, layer: number): Planned[] {
  if (!isOn(config, layer)) return [];
  return targetsOf(config, model.linears).flatMap(({ name, shape }): Planned[] => {
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
  const targeted = new Set(targetsOf(config, context.model.linears).map((target) => target.name));
  const scale = loraScale(config);
  return (x, names) => {
    const first = names.find((name) => targeted.has(name));
    const masked = first === undefined ? x : context.dropout(x, first);
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
