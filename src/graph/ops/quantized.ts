// Operators on eight-bit integers: rounding, and the product of rounded activations with rounded weights. Sources: onnx
// operators (QuantizeLinear, DequantizeLinear), onnxruntime:docs/ContribOperators.md (MatMulIntegerToFloat).
// No gradient flows through rounding; who uses it says what is to flow back (`withPullback`).

import { sizeOf } from "../../base/dtype.ts";
import { broadcast, none, type Op, positiveAxis } from "../op.ts";
import { eightBits, uniform } from "../sample.ts";
import type { Attributes, Tensor } from "../tensor.ts";

/** A scale is one number, or a vector along `axis`. */
function requireScale(x: Tensor, scale: Tensor, { axis }: Attributes): void {
  const wanted = scale.shape.length === 0 ? "" : `${x.shape[positiveAxis(axis as number, x.shape.length)]}`;
  if (scale.shape.join() === wanted) return;
  throw new Error(
    `Expected a scale, or one for each of [${x.shape}] along axis ${axis}, found [${scale.shape}]`,
  );
}

/** round(x / scale) + zero point, within the zero point's type; halves go to the even neighbour. */
export const QuantizeLinear: Op = {
  name: "QuantizeLinear",
  domain: "",
  inputs: ["F", "F", "T"],
  attributes: { axis: "int" },
  shape: ([x, scale, zero], attributes) => {
    requireScale(x!, scale!, attributes);
    if (zero!.shape.join() !== scale!.shape.join()) {
      throw new Error(`Expected a zero point for each scale [${scale!.shape}], found [${zero!.shape}]`);
    }
    if (zero!.dtype !== "int8" && zero!.dtype !== "uint8")
      throw new Error(`Expected a zero point of int8 or uint8, found ${zero!.dtype}`);
    return [{ dtype: zero!.dtype, shape: x!.shape }];
  },
  gradient: none("integer output"),
  samples: () => [
    {
      inputs: [uniform([2, 3]), uniform([2], 0.01, 0.02), eightBits("int8", [2], [-1, 1])],
      attributes: { axis: 0 },
    },
    {
      inputs: [uniform([2, 3]), uniform([2], 0.01, 0.02), eightBits("uint8", [2], [128, 129])],
      attributes: { axis: 0 },
    },
  ],
};

/** x · scale of eight-bit x; with `block_size` each scale along `axis` is that of so many neighbours. */
export const DequantizeLinear: Op = {
  name: "DequantizeLinear",
  domain: "",
  inputs: ["T", "F"],
  attributes: { axis: "int", block_size: "int?" },
  shape: ([x, scale], attributes) => {
    if (x!.dtype !== "int8" && x!.dtype !== "uint8")
      throw new Error(`Expected int8 or uint8, found ${x!.dtype}`);
    if (attributes.block_size === undefined) requireScale(x!, scale!, attributes);
    else requireBlocks(x!, scale!, attributes);
    return [{ dtype: scale!.dtype, shape: x!.shape }];
  },
  gradient: none("integer input"),
  samples: () => [
    { inputs: [eightBits("int8", [2, 3], [-127, 128]), uniform([2], 0.01, 0.02)], attributes: { axis: 0 } },
    {
      inputs: [eightBits("uint8", [2, 32], [0, 256]), uniform([2, 2], 0.01, 0.02)],
      attributes: { axis: 1, block_size: 16 },
    },
  ],
};

function requireBlocks(x: Tensor, scale: Tensor, { axis, block_size }: Attributes): void {
  const at = positiveAxis(axis as number, x.shape.length);
  const wanted = x.shape.map((extent, i) => (i === at ? extent / (block_size as number) : extent));
  if (scale.shape.join() === wanted.join()) return;
  throw new Error(`Expected scales [${wanted}] for blocks of ${block_size}, found [${scale.shape}]`);
}

/** The bits that both have. */
export const BitwiseAnd: Op = {
  name: "BitwiseAnd",
  domain: "",
  inputs: ["uint8", "uint8"],
  attributes: {},
  shape: ([a, b]) => [{ dtype: "uint8", shape: broadcast(a!.shape, b!.shape) }],
  gradient: none("integer inputs"),
  samples: () => [{ inputs: [eightBits("uint8", [2, 3], [0, 256]), eightBits("uint8", [], [15, 16])] }],
};

/** Bits moved by as many places as the second input says. */
export const BitShift: Op = {
  name: "BitShift",
  domain: "",
  inputs: ["uint8", "uint8"],
  attributes: { direction: "string" },
  shape: ([a, b]) => [{ dtype: "uint8", shape: broadcast(a!.shape, b!.shape) }],
  gradient: none("integer inputs"),
  samples: () => [
    {
      inputs: [eightBits("uint8", [2, 3], [0, 256]), eightBits("uint8", [], [4, 5])],
      attributes: { direction: "RIGHT" },
    },
  ],
};

/**
 * (a - zero point)·b · a's scale · b's scales + addend: a [m, k] of one scale, b [k, n] of one or of one for each column, an
 * addend [n] for all rows where there is one, after b's zero point.
 */
export const MatMulIntegerToFloat: Op = {
  name: "MatMulIntegerToFloat",
  domain: "com.microsoft",
  inputs: ["uint8", "int8", "F", "F", "uint8", "int8?", "F?"],
  attributes: {},
  shape: (inputs) => {
    const [a, b, aScale, bScale, , , addend] = inputs;
    const [m, k] = a!.shape;
    const [k2, n] = b!.shape;
    const isColumns = ({ shape }: Tensor) => shape.join() === `${n}`;
    const fits =
      a!.shape.length === 2 &&
      b!.shape.length === 2 &&
      k === k2 &&
      (sizeOf(bScale!.shape) === 1 || isColumns(bScale!)) &&
      (!addend || isColumns(addend));
    if (fits) return [{ dtype: aScale!.dtype, shape: [m!, n!] }];
    const shapes = inputs.map(({ shape }) => `[${shape}]`).join(", ");
    throw new Error(
      `Expected [m, k], [k, n], a scale of a and one or n of b, and an addend [n], found ${shapes}`,
    );
  },
  gradient: none("integer operands"),
  samples: () => [
    {
      inputs: [
        eightBits("uint8", [2, 3], [0, 256]),
        eightBits("int8", [3, 4], [-63, 64]),
        uniform([], 0.01, 0.02),
        uniform([4], 0.01, 0.02),
        eightBits("uint8", [], [128, 129]),
      ],
    },
    {
      inputs: [
        eightBits("uint8", [2, 3], [0, 256]),
        eightBits("int8", [3, 4], [-63, 64]),
        uniform([], 0.01, 0.02),
        uniform([], 0.01, 0.02),
        eightBits("uint8", [], [128, 129]),
        eightBits("int8", [], [0, 1]),
        uniform([4]),
      ],
    },
  ],
};

export const quantized = [QuantizeLinear, DequantizeLinear, BitwiseAnd, BitShift, MatMulIntegerToFloat];
