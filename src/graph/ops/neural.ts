// Operators of transformer networks that ONNX Runtime has as one kernel: normalisation, rotary positions,
// attention with a cache. Sources: onnx operators (RMSNormalization, opset 23), onnxruntime:docs/ContribOperators.md.

import { none, type Op } from "../op.ts";
import { integers, uniform } from "../sample.ts";
import { int64s, scalar, type Tensor } from "../tensor.ts";

/** y = x / sqrt(mean(x²) + epsilon) · scale over the last axis. */
export const RMSNormalization: Op = {
  name: "RMSNormalization",
  domain: "",
  attributes: { axis: "int", epsilon: "float" },
  shape: ([x, scale]) => {
    if (scale!.shape.join() !== `${x!.shape.at(-1)}`) {
      throw new Error(`Expected a scale of [${x!.shape.at(-1)}], found [${scale!.shape}]`);
    }
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  gradient: ({ inputs, dy, attributes, apply }) => {
    const [x, scale] = inputs as [Tensor, Tensor];
    const mean = (t: Tensor) => apply("ReduceMean", [t, int64s([-1])], { keepdims: 1 });
    const variance = apply("Add", [mean(apply("Mul", [x, x])), scalar(attributes.epsilon as number)]);
    const rate = apply("Reciprocal", [apply("Sqrt", [variance])]);
    const normal = apply("Mul", [x, rate]);
    const g = apply("Mul", [dy, scale]);
    const along = apply("Mul", [normal, mean(apply("Mul", [g, normal]))]);
    const rows = [...x.shape.keys()].slice(0, -1);
    return [
      apply("Mul", [rate, apply("Sub", [g, along])]),
      apply("ReduceSum", [apply("Mul", [dy, normal]), int64s(rows)], { keepdims: 0 }),
    ];
  },
  samples: () => [
    { inputs: [uniform([2, 4]), uniform([4], 0.5, 2)], attributes: { axis: -1, epsilon: 1e-5 } },
    { inputs: [uniform([2, 3, 4]), uniform([4], 0.5, 2)], attributes: { axis: -1, epsilon: 1e-2 } },
  ],
};

/**
 * Rotates pairs (i, i + d/2) of each head by the angle of its position. x [batch, length, heads·d],
 * position ids [batch, length], cos and sin [positions, d/2]. The gradient is the rotation back.
 */
export const RotaryEmbedding: Op = {
  name: "RotaryEmbedding",
  domain: "com.microsoft",
  attributes: {},
  shape: ([x, ids, cos]) => {
    const [batch, length, width] = x!.shape;
    if (
      x!.shape.length !== 3 ||
      ids!.shape.join() !== [batch, length].join() ||
      width! % (2 * cos!.shape[1]!)
    ) {
      throw new Error(
        `Expected [batch, length, heads·d] with ids [batch, length], found [${x!.shape}] and [${ids!.shape}]`,
      );
    }
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  gradient: ({ inputs, dy, apply }) => {
    const [, ids, cos, sin] = inputs as [Tensor, Tensor, Tensor, Tensor];
    return [apply("RotaryEmbedding", [dy, ids, cos, apply("Neg", [sin])]), null, null, null];
  },
  samples: () => [
    { inputs: [uniform([1, 3, 8]), integers([1, 3], [0, 1, 2]), uniform([3, 2]), uniform([3, 2], -1, 2)] },
  ],
};

/**
 * Causal attention of new positions over a cache, forward only. q [batch, length, heads·d],
 * k and v [batch, length, kv heads·d], past k and v [batch, kv heads, capacity, d], seqlens_k int32 [batch]
 * (positions in all, minus one), total_sequence_length int32 scalar, cos and sin [positions, d/2].
 * Outputs: attention [batch, length, heads·d], present k and v of the past's shape.
 */
export const GroupQueryAttention: Op = {
  name: "GroupQueryAttention",
  domain: "com.microsoft",
  attributes: { num_heads: "int", kv_num_heads: "int", do_rotary: "int", scale: "float" },
  shape: ([q, , , pastK, pastV]) => [q!, pastK!, pastV!].map(({ dtype, shape }) => ({ dtype, shape })),
  gradient: none("used for generation only; training builds attention from products"),
  samples: () => [],
};

export const neural = [RMSNormalization, RotaryEmbedding, GroupQueryAttention];
