// Builds graphs: `apply` makes a node and infers its shapes; the named functions below are how models and adapters
// write their mathematics.

import { checkNode } from "./check.ts";
import { type Attributes, int64s, type Node, type Pullback, scalar, type Tensor } from "./tensor.ts";

/** Every output of a new node. Throws with the operator's name and the inputs found when they do not fit. */
export function applyAll(name: string, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor[] {
  const node: Node = { kind: "node", op: name, inputs, attributes };
  return checkNode(node).map((spec, index) => ({ ...spec, source: node, index }));
}

/** The first output of a new node. */
export function apply(name: string, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor {
  return applyAll(name, inputs, attributes)[0]!;
}

/** x between two places of an axis; x itself where that is all of it. */
export function slice(x: Tensor, axis: number, [start, end]: readonly [number, number]): Tensor {
  if (start === 0 && end === x.shape[axis]) return x;
  return apply("Slice", [x, int64s([start]), int64s([end]), int64s([axis])]);
}

export const add = (a: Tensor, b: Tensor): Tensor => apply("Add", [a, b]);
export const sub = (a: Tensor, b: Tensor): Tensor => apply("Sub", [a, b]);
export const mul = (a: Tensor, b: Tensor): Tensor => apply("Mul", [a, b]);
/** x times a number. */
export const scaled = (x: Tensor, factor: number): Tensor => apply("Mul", [x, scalar(factor)]);
export const neg = (x: Tensor): Tensor => apply("Neg", [x]);
export const sigmoid = (x: Tensor): Tensor => apply("Sigmoid", [x]);
export const relu = (x: Tensor): Tensor => apply("Relu", [x]);
/** x as a constant: no gradient flows through it. */
export const detach = (x: Tensor): Tensor => apply("Identity", [x]);
/** x, whose gradient flows back as `pullback` says and not by the rules of what computed it. */
export function withPullback(x: Tensor, pullback: Pullback): Tensor {
  const node: Node = { kind: "node", op: "Identity", inputs: [x], attributes: {}, pullback };
  return { dtype: x.dtype, shape: x.shape, source: node, index: 0 };
}
/** x in f32, whatever it is held in. */
export const asFloat = (x: Tensor): Tensor => (x.dtype === "float32" ? x : apply("Cast", [x], { to: 1 }));
/** x in 16 bits; what is beyond 65,504 becomes infinite. */
export const asHalf = (x: Tensor): Tensor => apply("Cast", [x], { to: 10 });
export const matMul = (a: Tensor, b: Tensor): Tensor => apply("MatMul", [a, b]);
/** aᵀ·b, where a is the narrow operand: what the kernel turns, it turns row by row. */
export const matMulTurned = (a: Tensor, b: Tensor): Tensor => apply("FusedMatMul", [a, b], { transA: 1 });
/** a·bᵀ. */
export const matMulByTurned = (a: Tensor, b: Tensor): Tensor => apply("FusedMatMul", [a, b], { transB: 1 });

/** x·wᵀ for x [n, in] and w [out, in], the layout in which Hugging Face keeps linear layers. */
export const linear = (x: Tensor, w: Tensor): Tensor => apply("Gemm", [x, w], { transB: 1 });

/** The same values in another shape; x itself where it has that one. */
export const reshape = (x: Tensor, shape: readonly number[]): Tensor =>
  shape.join() === x.shape.join() ? x : apply("Reshape", [x, int64s(shape)]);
export const expand = (x: Tensor, shape: readonly number[]): Tensor => apply("Expand", [x, int64s(shape)]);
export const transpose = (x: Tensor, perm: readonly number[]): Tensor => apply("Transpose", [x], { perm });
/** Parts of x along an axis, of the sizes given. */
export const split = (x: Tensor, sizes: readonly number[], axis: number): Tensor[] =>
  sizes.length === 1 ? [x] : applyAll("Split", [x, int64s(sizes)], { axis });
export const concat = (parts: readonly Tensor[], axis: number): Tensor =>
  parts.length === 1 ? parts[0]! : apply("Concat", parts, { axis });
export const softmax = (x: Tensor): Tensor => apply("Softmax", [x], { axis: -1 });
export const logSoftmax = (x: Tensor): Tensor => apply("LogSoftmax", [x], { axis: -1 });
export const reduceSum = (x: Tensor, axes: readonly number[]): Tensor =>
  apply("ReduceSum", [x, int64s(axes)], { keepdims: 0 });

/** Rows of `x` by index. */
export const gather = (x: Tensor, indices: Tensor): Tensor => apply("Gather", [x, indices], { axis: 0 });

/** x · sigmoid(x), also called SiLU or swish. Its slope is s + y·(1 - s) of s = sigmoid(x) and y = x·s. */
export function silu(x: Tensor): Tensor {
  const s = sigmoid(x);
  const y = mul(x, s);
  const rule = (dy: Tensor) => [mul(dy, add(s, sub(y, mul(y, s))))];
  return withPullback(y, { of: [x], rule });
}

/**
 * silu(gate) ∘ up (Shazeer, 2020: SwiGLU). Of s = sigmoid(gate) and what flows to up, du = dz ∘ silu(gate), the gate gets
 * up ∘ (du + s ∘ (dz - du)): eight passes over memory instead of nine.
 */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const s = sigmoid(gate);
  const y = mul(gate, s);
  const rule = (dz: Tensor) => {
    const du = mul(dz, y);
    return [mul(up, add(du, mul(s, sub(dz, du)))), du];
  };
  return withPullback(mul(y, up), { of: [gate, up], rule });
}

export const rmsNorm = (x: Tensor, scale: Tensor, epsilon: number): Tensor =>
  apply("SimplifiedLayerNormalization", [x, scale], { axis: -1, epsilon });

export const layerNorm = (
  x: Tensor,
  { scale, bias }: { readonly scale: Tensor; readonly bias: Tensor },
  epsilon: number,
): Tensor => apply("LayerNormalization", [x, scale, bias], { axis: -1, epsilon });
