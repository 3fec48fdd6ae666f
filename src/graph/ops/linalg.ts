// Products. `Gemm` for two-dimensional operands with optional transposes, `MatMul` for stacks of matrices.

import { type Apply, broadcast, type GradientContext, type Op } from "../op.ts";
import { uniform } from "../sample.ts";
import { type Attributes, type Spec, scalar, type Tensor } from "../tensor.ts";
import { sumTo } from "./elementwise.ts";

function matMulShape([a, b]: readonly Pick<Tensor, "dtype" | "shape">[]): Spec[] {
  const [m, k] = a!.shape.slice(-2) as [number, number];
  const [k2, n] = b!.shape.slice(-2) as [number, number];
  if (a!.shape.length < 2 || b!.shape.length < 2 || k !== k2) {
    throw new Error(`Expected [..., m, k] and [..., k, n], found [${a!.shape}] and [${b!.shape}]`);
  }
  return [{ dtype: a!.dtype, shape: [...broadcast(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), m, n] }];
}

function swapLast(tensor: Tensor, apply: GradientContext["apply"]): Tensor {
  const rank = tensor.shape.length;
  const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  return apply("Transpose", [tensor], { perm });
}

/** da = dy bᵀ, db = aᵀ dy, summed over broadcast stacks. */
export const MatMul: Op = {
  name: "MatMul",
  domain: "",
  inputs: ["F", "F"],
  attributes: {},
  shape: matMulShape,
  gradient: ({ inputs, dy, apply }) => {
    const [a, b] = inputs as [Tensor, Tensor];
    return [
      sumTo(apply, apply("MatMul", [dy, swapLast(b, apply)]), a.shape),
      sumTo(apply, apply("MatMul", [swapLast(a, apply), dy]), b.shape),
    ];
  },
  samples: () => [
    { inputs: [uniform([2, 3]), uniform([3, 4], -1, 2)] },
    { inputs: [uniform([2, 2, 3]), uniform([2, 3, 4], -1, 2)] },
    { inputs: [uniform([2, 1, 2, 3]), uniform([3, 3, 2], -1, 2)] },
  ],
};

function turnedShape(tensor: Tensor, isTurned: unknown): Pick<Tensor, "dtype" | "shape"> {
  const { dtype, shape } = tensor;
  return { dtype, shape: isTurned ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape };
}

/** `MatMul` that reads operands with their last two axes turned, where `transA` or `transB` say so. */
export const FusedMatMul: Op = {
  name: "FusedMatMul",
  domain: "com.microsoft",
  inputs: ["F", "F"],
  attributes: { transA: "int?", transB: "int?" },
  shape: ([a, b], { transA, transB }) => matMulShape([turnedShape(a!, transA), turnedShape(b!, transB)]),
  gradient: ({ inputs, dy, attributes, apply }) => {
    const [a, b] = inputs as [Tensor, Tensor];
    const { transA = 0, transB = 0 } = attributes;
    const [notA, notB] = [transA ? 0 : 1, transB ? 0 : 1];
    const da = transA
      ? apply("FusedMatMul", [b, dy], { transA: transB, transB: 1 })
      : apply("FusedMatMul", [dy, b], { transA: 0, transB: notB });
    const db = transB
      ? apply("FusedMatMul", [dy, a], { transA: 1, transB: transA })
      : apply("FusedMatMul", [a, dy], { transA: notA, transB: 0 });
    return [sumTo(apply, da, a.shape), sumTo(apply, db, b.shape)];
  },
  samples: () => [
    { inputs: [uniform([2, 3]), uniform([4, 3], -1, 2)], attributes: { transB: 1 } },
    { inputs: [uniform([2, 1, 3, 2]), uniform([3, 3, 4], -1, 2)], attributes: { transA: 1 } },
    { inputs: [uniform([3, 2]), uniform([4, 3], -1, 2)], attributes: { transA: 1, transB: 1 } },
  ],
};

function gemmShape(inputs: readonly Tensor[], { transA, transB }: Attributes): Spec[] {
  const [a, b, c] = inputs as [Tensor, Tensor, Tensor?];
  if (a.shape.length !== 2 || b.shape.length !== 2) {
    throw new Error(`Expected two matrices, found [${a.shape}] and [${b.shape}]`);
  }
  const [m, k] = transA ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
  const [n, k2] = transB ? [b.shape[0]!, b.shape[1]!] : [b.shape[1]!, b.shape[0]!];
  if (k !== k2) {
    const flags = `transA ${transA ?? 0}, transB ${transB ?? 0}`;
    throw new Error(`Expected inner extents to agree, found [${a.shape}] and [${b.shape}] (${flags})`);
  }
  if (c && broadcast(c.shape, [m, n]).join() !== [m, n].join()) {
    throw new Error(`Expected an addend that broadcasts to [${m},${n}], found [${c.shape}]`);
  }
  return [{ dtype: a.dtype, shape: [m, n] }];
}

type Product = {
  readonly a: Tensor;
  readonly dy: Tensor;
  readonly transA: boolean;
  readonly transB: boolean;
};

/** The gradient of b. The kernel turns its first operand row by row, so the narrower of the two stands there. */
function productGradient(apply: Apply, { a, dy, transA, transB }: Product, alpha: number): Tensor {
  const [inner, outer] = [a.shape[transA ? 0 : 1]!, dy.shape[1]!];
  const asRows = () => apply("Gemm", [a, dy], { transA: transA ? 0 : 1, transB: 0, alpha });
  const asColumns = () => apply("Gemm", [dy, a], { transA: 1, transB: transA ? 1 : 0, alpha });
  const turned = (x: Tensor) => apply("Transpose", [x], { perm: [1, 0] });
  if (inner * 8 <= outer) return transB ? turned(asRows()) : asRows();
  if (outer * 8 <= inner) return transB ? asColumns() : turned(asColumns());
  return transB ? asColumns() : asRows();
}

/** y = alpha·op(a)·op(b) + beta·c. */
export const Gemm: Op = {
  name: "Gemm",
  domain: "",
  inputs: ["F", "F", "F?"],
  attributes: { transA: "int?", transB: "int?", alpha: "float?", beta: "float?" },
  shape: gemmShape,
  gradient: ({ inputs, dy, attributes, apply }) => {
    const [a, b, c] = inputs as [Tensor, Tensor, Tensor?];
    const transA = attributes.transA ?? 0;
    const transB = attributes.transB ?? 0;
    const alpha = attributes.alpha ?? 1;
    const da = transA
      ? apply("Gemm", [b, dy], { transA: transB, transB: 1, alpha })
      : apply("Gemm", [dy, b], { transA: 0, transB: transB ? 0 : 1, alpha });
    const db = productGradient(apply, { a, dy, transA: transA === 1, transB: transB === 1 }, alpha as number);
    if (!c) return [da, db];
    const beta = (attributes.beta ?? 1) as number;
    const scaled = beta === 1 ? dy : apply("Mul", [dy, scalar(beta)]);
    return [da, db, sumTo(apply, scaled, c.shape)];
  },
  samples: () => [
    { inputs: [uniform([2, 3]), uniform([3, 4], -1, 2)], attributes: {} },
    { inputs: [uniform([2, 3]), uniform([4, 3], -1, 2)], attributes: { transB: 1, alpha: 0.5 } },
    { inputs: [uniform([3, 2]), uniform([3, 4], -1, 2)], attributes: { transA: 1, alpha: 2 } },
    { inputs: [uniform([3, 2]), uniform([4, 3], -1, 2)], attributes: { transA: 1, transB: 1, alpha: 3 } },
    { inputs: [uniform([2, 3]), uniform([3, 4], -1, 2), uniform([4])], attributes: { beta: 2 } },
    { inputs: [uniform([2, 3]), uniform([3, 4], -1, 2), uniform([2, 4])], attributes: {} },
  ],
};

/** Any order of the axes. It stands here because products are what it is mostly needed for. */
export const Transpose: Op = {
  name: "Transpose",
  domain: "",
  inputs: ["T"],
  attributes: { perm: "ints" },
  shape: ([x], { perm }) => {
    const axes = perm as readonly number[];
    if ([...axes].sort((p, q) => p - q).join() !== [...x!.shape.keys()].join()) {
      throw new Error(`Expected a permutation of ${x!.shape.length} axes, found [${axes}]`);
    }
    return [{ dtype: x!.dtype, shape: axes.map((axis) => x!.shape[axis]!) }];
  },
  gradient: ({ attributes, dy, apply }) => {
    const perm = attributes.perm as readonly number[];
    const inverse = perm.map((_, i) => perm.indexOf(i));
    return [apply("Transpose", [dy], { perm: inverse })];
  },
  samples: () => [{ inputs: [uniform([2, 3, 4])], attributes: { perm: [2, 0, 1] } }],
};

export const linalg = [MatMul, FusedMatMul, Gemm, Transpose];
