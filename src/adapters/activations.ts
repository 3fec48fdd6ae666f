// The functions between the two products of a bottleneck, by the names of transformers' `ACT2FN`
// (transformers:src/transformers/activations.py); adapters adds `leakyrelu`.

import { add, apply, mul, relu, scaled, sigmoid, silu, sub } from "../graph/build.ts";
import { scalar, type Tensor } from "../graph/tensor.ts";

/** x·Φ(x), Φ by the error function. */
function gelu(x: Tensor): Tensor {
  return mul(scaled(x, 0.5), add(apply("Erf", [scaled(x, Math.SQRT1_2)]), scalar(1)));
}

/** The same with Φ approximated by a hyperbolic tangent. */
function geluNew(x: Tensor): Tensor {
  const inner = add(x, scaled(mul(x, mul(x, x)), 0.044715));
  return mul(scaled(x, 0.5), add(apply("Tanh", [scaled(inner, Math.sqrt(2 / Math.PI))]), scalar(1)));
}

/** Graph builders by name. */
export const activations = {
  relu,
  gelu,
  gelu_new: geluNew,
  swish: silu,
  silu,
  tanh: (x: Tensor) => apply("Tanh", [x]),
  sigmoid,
  leakyrelu: (x: Tensor) => sub(relu(x), scaled(relu(scaled(x, -1)), 0.01)),
  linear: (x: Tensor) => x,
} as const;

export type Activation = keyof typeof activations;
