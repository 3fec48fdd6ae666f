// Operators of transformer networks that ONNX Runtime has as one kernel: normalisation, rotary positions,
// attention with a cache. Sources: onnxruntime:docs/ContribOperators.md,
// onnxruntime:onnxruntime/core/graph/contrib_ops/contrib_defs.cc (SimplifiedLayerNormalization).

import { none, type Op, positiveAxis, type Sample } from "../op.ts";
import { int32s, integers, uniform } from "../sample.ts";
import { type Attributes, int64s, type Spec, scalar, type Tensor } from "../tensor.ts";

/**
 * y = x·rate·scale, and rate = 1 / sqrt(mean(x²) + epsilon), over the last axis. ONNX's RMSNormalization gives no rate,
 * which its gradient needs.
 */
export const SimplifiedLayerNormalization: Op = {
  name: "SimplifiedLayerNormalization",
  domain: "",
  inputs: ["F", "F"],
  attributes: { axis: "int", epsilon: "float" },
  shape: ([x, scale], { axis }) => {
    if (positiveAxis(axis as number, x!.shape.length) !== x!.shape.length - 1) {
      throw new Error(`Expected the last axis, found ${axis}`);
    }
    if (scale!.shape.join() !== `${x!.shape.at(-1)}`) {
      throw new Error(`Expected a scale of [${x!.shape.at(-1)}], found [${scale!.shape}]`);
    }
    return [x!.shape, [...x!.shape.slice(0, -1), 1]].map((shape) => ({ dtype: x!.dtype, shape }));
  },
  gradient: ({ inputs, outputs, dys, apply }) => {
    const [dy, ofRate] = dys;
    if (!dy) throw new Error("Expected a gradient of what is normalised, found one of its rate alone");
    const [x, scale] = inputs as [Tensor, Tensor];
    const rate = outputs[1]!;
    const mean = (t: Tensor) => apply("ReduceMean", [t, int64s([-1])], { keepdims: 1 });
    const g = apply("Mul", [dy, scale]);
    // rate·g - x·rate³·mean(g∘x): what is as large as x is multiplied once less than by way of x·rate.
    const cube = apply("Mul", [apply("Mul", [rate, rate]), rate]);
    const plain = mean(apply("Mul", [g, x]));
    const share = scalar(1 / x.shape.at(-1)!);
    const sum = ofRate ? apply("Add", [plain, apply("Mul", [ofRate, share])]) : plain;
    const along = apply("Mul", [x, apply("Mul", [cube, sum])]);
    const rows = [...x.shape.keys()].slice(0, -1);
    return [
      apply("Sub", [apply("Mul", [g, rate]), along]),
      apply("ReduceSum", [apply("Mul", [dy, apply("Mul", [x, rate])]), int64s(rows)], { keepdims: 0 }),
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
  inputs: ["F", "int64", "F", "F"],
  attributes: {},
  shape: ([x, ids, cos, sin]) => {
    const [batch, length, width] = x!.shape;
    if (
      x!.shape.length !== 3 ||
      ids!.shape.join() !== [batch, length].join() ||
      width! % (2 * cos!.shape[1]!) ||
      cos!.shape.join() !== sin!.shape.join()
    ) {
      const found = [x!, ids!, cos!, sin!].map(({ shape }) => `[${shape}]`).join(", ");
      throw new Error(
        `Expected [batch, length, heads·d], ids [batch, length], cos and sin [n, d/2], found ${found}`,
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
  inputs: ["F", "F", "F", "F", "F", "int32", "int32", "F", "F"],
  attributes: { num_heads: "int", kv_num_heads: "int", do_rotary: "int", scale: "float" },
  shape: groupQueryShape,
  gradient: none("used for generation only; training builds attention from products"),
  samples: () => [cacheSample({ past: 0, length: 3 }), cacheSample({ past: 2, length: 1 })],
};

function groupQueryShape(inputs: readonly Tensor[], { num_heads, kv_num_heads }: Attributes): Spec[] {
  const [q, k, v, pastK, pastV, seqlens] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const [batch, length, width] = q.shape as [number, number, number];
  const [heads, kvHeads] = [num_heads as number, kv_num_heads as number];
  const d = width / heads;
  const capacity = pastK.shape[2]!;
  const wanted = [
    [batch, length, heads * d],
    [batch, length, kvHeads * d],
    [batch, length, kvHeads * d],
    [batch, kvHeads, capacity, d],
    [batch, kvHeads, capacity, d],
    [batch],
  ];
  const off = wanted.findIndex((shape, i) => shape.join() !== inputs[i]!.shape.join());
  // The kernel itself asks for heads of a multiple of 16.
  if (off >= 0 || d % 16 !== 0 || heads % kvHeads !== 0) {
    const found = [q, k, v, pastK, pastV, seqlens].map(({ shape }) => `[${shape}]`).join(", ");
    throw new Error(
      `Expected q, k, v, caches and lengths that fit ${heads} and ${kvHeads} heads of a multiple of 16, found ${found}`,
    );
  }
  return [q, pastK, pastV].map(({ dtype, shape }) => ({ dtype, shape }));
}

function cacheSample({ past, length }: { past: number; length: number }): Sample {
  const [capacity, d] = [4, 16];
  return {
    inputs: [
      uniform([1, length, 2 * d]),
      uniform([1, length, d], -1, 2),
      uniform([1, length, d], 0, 2),
      uniform([1, 1, capacity, d]),
      uniform([1, 1, capacity, d], -1, 2),
      int32s([1], [past + length - 1]),
      int32s([], [past + length]),
      uniform([capacity, d / 2]),
      uniform([capacity, d / 2], -1, 2),
    ],
    attributes: { num_heads: 2, kv_num_heads: 1, do_rotary: 1, scale: 0.25 },
  };
}

export const neural = [SimplifiedLayerNormalization, RotaryEmbedding, GroupQueryAttention];
