// Reductions and the softmax family. Axes come as an int64 constant, as ONNX has it since opset 13 (18 for means).

import { type GradientContext, none, type Op, positiveAxis } from "../op.ts";
import { uniform } from "../sample.ts";
import { type Attributes, constantValues, int64s, type Spec, scalar, type Tensor } from "../tensor.ts";

function reduced(inputs: readonly Tensor[], attributes: Attributes): Spec[] {
  const [x, axes] = inputs as [Tensor, Tensor];
  const gone = new Set(constantValues(axes).map((axis) => positiveAxis(axis, x.shape.length)));
  const keep = attributes.keepdims !== 0;
  const shape = x.shape.flatMap((extent, i) => (gone.has(i) ? (keep ? [1] : []) : [extent]));
  return [{ dtype: x.dtype, shape }];
}

/** The gradient of a reduction brought back to rank and shape of the input. */
function spread({ inputs, dy, apply }: GradientContext): Tensor {
  const [x, axes] = inputs as [Tensor, Tensor];
  const gone = new Set(constantValues(axes).map((axis) => positiveAxis(axis, x.shape.length)));
  const kept = x.shape.map((extent, i) => (gone.has(i) ? 1 : extent));
  const ranked = dy.shape.length === kept.length ? dy : apply("Reshape", [dy, int64s(kept)]);
  return apply("Expand", [ranked, int64s(x.shape)]);
}

const samples = () => [
  { inputs: [uniform([2, 3, 4]), int64s([2])], attributes: { keepdims: 1 } },
  { inputs: [uniform([2, 3, 4]), int64s([0, -1])], attributes: { keepdims: 0 } },
];

export const ReduceSum: Op = {
  name: "ReduceSum",
  domain: "",
  inputs: ["F", "int64"],
  attributes: { keepdims: "int?" },
  shape: reduced,
  gradient: (context) => [spread(context), null],
  samples,
};

export const ReduceMean: Op = {
  name: "ReduceMean",
  domain: "",
  inputs: ["F", "int64"],
  attributes: { keepdims: "int?" },
  shape: reduced,
  gradient: (context) => {
    const [x, axes] = context.inputs as [Tensor, Tensor];
    const count = constantValues(axes).reduce(
      (n, axis) => n * x.shape[positiveAxis(axis, x.shape.length)]!,
      1,
    );
    return [context.apply("Mul", [spread(context), scalar(1 / count)]), null];
  },
  samples,
};

export const ReduceMax: Op = {
  name: "ReduceMax",
  domain: "",
  inputs: ["F", "int64"],
  attributes: { keepdims: "int?" },
  shape: reduced,
  gradient: none("used for scales of rounding only, which are held constant"),
  samples,
};

export const ReduceMin: Op = { ...ReduceMax, name: "ReduceMin" };

const alongAxis = ([x]: readonly Tensor[], { axis }: Attributes): Spec[] => {
  positiveAxis(axis as number, x!.shape.length);
  return [{ dtype: x!.dtype, shape: x!.shape }];
};

const axisSamples = () => [
  { inputs: [uniform([2, 3, 4], -2, 2)], attributes: { axis: -1 } },
  { inputs: [uniform([3, 2], -2, 2)], attributes: { axis: 0 } },
];

/** dx = y ∘ (dy − Σ y∘dy). */
export const Softmax: Op = {
  name: "Softmax",
  domain: "",
  inputs: ["F"],
  attributes: { axis: "int" },
  shape: alongAxis,
  gradient: ({ outputs, dy, attributes, apply }) => {
    const y = outputs[0]!;
    const total = apply("ReduceSum", [apply("Mul", [y, dy]), int64s([attributes.axis as number])], {
      keepdims: 1,
    });
    return [apply("Mul", [y, apply("Sub", [dy, total])])];
  },
  samples: axisSamples,
};

/** dx = dy − exp(y) Σ dy. */
export const LogSoftmax: Op = {
  name: "LogSoftmax",
  domain: "",
  inputs: ["F"],
  attributes: { axis: "int" },
  shape: alongAxis,
  gradient: ({ outputs, dy, attributes, apply }) => {
    const total = apply("ReduceSum", [dy, int64s([attributes.axis as number])], { keepdims: 1 });
    return [apply("Sub", [dy, apply("Mul", [apply("Exp", [outputs[0]!]), total])])];
  },
  samples: axisSamples,
};

export const reduction = [ReduceSum, ReduceMean, ReduceMax, ReduceMin, Softmax, LogSoftmax];
