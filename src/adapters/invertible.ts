// The invertible adapter on embeddings, NICE coupling (Dinh et al., 2014) as MAD-X uses it: of the two halves of the
// channels y₁ = x₁ + F(x₂), y₂ = x₂ + G(y₁), undone exactly by subtracting. Names and initial values:
// adapters:src/adapters/methods/modeling.py (NICECouplingBlock).

import { add, apply, sub } from "../graph/build.ts";
import { int64s, type Tensor } from "../graph/tensor.ts";
import { activations } from "./activations.ts";
import type { BottleneckConfig } from "./adapter.ts";
import type { ParameterHook, Planned } from "./kind.ts";

/** The arrays' names begin so; they stand outside the blocks. */
export const INVERTIBLE = "invertible_adapters.";

/** Two products each of F (second half to first) and G (first to second), with biases. */
export function invertibleArrays(config: BottleneckConfig, hidden_size: number): Planned[] {
  const first = Math.floor(hidden_size / 2);
  const second = hidden_size - first;
  const factor = config.inv_adapter_reduction_factor ?? 2;
  const subnet = (name: string, inner: number, out: number): Planned[] => {
    const width = Math.floor(inner / factor);
    return [...affineArrays(`${name}.0`, [width, inner]), ...affineArrays(`${name}.2`, [out, width])];
  };
  return [...subnet("F", second, first), ...subnet("G", first, second)];
}

function affineArrays(name: string, shape: readonly [number, number]): Planned[] {
  return [
    { name: `${INVERTIBLE}${name}.weight`, shape, initial: { kind: "normal", deviation: 0.02 } },
    { name: `${INVERTIBLE}${name}.bias`, shape: [shape[0]], initial: { kind: "zeros" } },
  ];
}

/** x [n, hidden_size] coupled. */
export function transform(config: BottleneckConfig, parameter: ParameterHook, x: Tensor): Tensor {
  const [x1, x2] = halves(x);
  const y1 = add(x1, subnet(config, parameter, { name: "F", x: x2 }));
  const y2 = add(x2, subnet(config, parameter, { name: "G", x: y1 }));
  return apply("Concat", [y1, y2], { axis: 1 });
}

/** What `transform` was given. */
export function invert(config: BottleneckConfig, parameter: ParameterHook, y: Tensor): Tensor {
  const [y1, y2] = halves(y);
  const x2 = sub(y2, subnet(config, parameter, { name: "G", x: y1 }));
  const x1 = sub(y1, subnet(config, parameter, { name: "F", x: x2 }));
  return apply("Concat", [x1, x2], { axis: 1 });
}

function halves(x: Tensor): readonly [Tensor, Tensor] {
  const d = x.shape[1]!;
  const at = Math.floor(d / 2);
  const slice = (start: number, end: number) =>
    apply("Slice", [x, int64s([start]), int64s([end]), int64s([1])]);
  return [slice(0, at), slice(at, d)];
}

function subnet(
  { non_linearity }: BottleneckConfig,
  parameter: ParameterHook,
  { name, x }: { name: string; x: Tensor },
): Tensor {
  const affine = (z: Tensor, at: number) => {
    const path = `${INVERTIBLE}${name}.${at}`;
    return apply("Gemm", [z, parameter(`${path}.weight`), parameter(`${path}.bias`)], { transB: 1 });
  };
  return affine(activations[non_linearity](affine(x, 0)), 2);
}
