// Elementwise operators. Shapes broadcast as in NumPy; a gradient is summed back to the shape of its operand.

import { type Apply, broadcast, type GradientContext, none, type Op, type Sample, stops } from "../op.ts";
import { booleans, integers, uniform } from "../sample.ts";
import { int64s, type Spec, scalar, type Tensor } from "../tensor.ts";

/** `gradient` summed over the axes along which an operand of `shape` was broadcast. */
export function sumTo(apply: Apply, gradient: Tensor, shape: readonly number[]): Tensor {
  const extra = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((extent, i) =>
    i < extra || (shape[i - extra] === 1 && extent !== 1) ? [i] : [],
  );
  if (axes.length === 0) return gradient;
  const summed = apply("ReduceSum", [gradient, int64s(axes)], { keepdims: 1 });
  return extra === 0 ? summed : apply("Reshape", [summed, int64s(shape)]);
}

function broadcastShape(inputs: readonly Tensor[]): Spec[] {
  const [a, b] = inputs as [Tensor, Tensor];
  return [{ dtype: a.dtype, shape: broadcast(a.shape, b.shape) }];
}

type BinaryRule = (context: {
  a: Tensor;
  b: Tensor;
  y: Tensor;
  dy: Tensor;
  apply: Apply;
}) => [Tensor, Tensor];

function binary(name: string, rule: BinaryRule, low = -1): Op {
  return {
    name,
    domain: "",
    inputs: ["T", "T"],
    attributes: {},
    shape: broadcastShape,
    gradient: ({ inputs, outputs, dy, apply }) => {
      const [a, b] = inputs as [Tensor, Tensor];
      const [da, db] = rule({ a, b, y: outputs[0]!, dy, apply });
      return [sumTo(apply, da, a.shape), sumTo(apply, db, b.shape)];
    },
    samples: () => [
      { inputs: [uniform([2, 3], low, 2), uniform([2, 3], low, 2.5)] },
      { inputs: [uniform([2, 3], low, 2), uniform([3], low, 2.5)] },
      { inputs: [uniform([3, 1], low, 2), uniform([2, 1, 4], low, 2.5)] },
    ],
  };
}

type UnaryRule = (context: { x: Tensor; y: Tensor; dy: Tensor; apply: Apply }) => Tensor;

function unary(
  name: string,
  rule: UnaryRule,
  samples: () => Sample[] = () => [{ inputs: [uniform([2, 3])] }],
): Op {
  return {
    name,
    domain: "",
    inputs: ["F"],
    attributes: {},
    shape: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    gradient: ({ inputs, outputs, dy, apply }: GradientContext) => [
      rule({ x: inputs[0]!, y: outputs[0]!, dy, apply }),
    ],
    samples,
  };
}

const positive = () => [{ inputs: [uniform([2, 3], 0.5, 2)] }];

export const Add = binary("Add", ({ dy }) => [dy, dy]);
export const Sub = binary("Sub", ({ dy, apply }) => [dy, apply("Neg", [dy])]);
export const Mul = binary("Mul", ({ a, b, dy, apply }) => [apply("Mul", [dy, b]), apply("Mul", [dy, a])]);
export const Div = binary(
  "Div",
  ({ b, y, dy, apply }) => {
    const da = apply("Div", [dy, b]);
    return [da, apply("Neg", [apply("Mul", [da, y])])];
  },
  0.5,
);

export const Neg = unary("Neg", ({ dy, apply }) => apply("Neg", [dy]));
/** The slope at 0 is not asked for: what it serves, a row's largest magnitude, is held constant. */
export const Abs: Op = {
  ...unary("Abs", ({ dy }) => dy),
  gradient: none("used for scales of rounding only, which are held constant"),
};
export const Max: Op = {
  ...binary("Max", ({ dy }) => [dy, dy]),
  gradient: none("used for scales of rounding only, which are held constant"),
};
export const Exp = unary("Exp", ({ y, dy, apply }) => apply("Mul", [dy, y]));
export const Log = unary("Log", ({ x, dy, apply }) => apply("Div", [dy, x]), positive);
export const Sqrt = unary(
  "Sqrt",
  ({ y, dy, apply }) => apply("Div", [dy, apply("Mul", [y, scalar(2)])]),
  positive,
);
export const Reciprocal = unary(
  "Reciprocal",
  ({ y, dy, apply }) => apply("Neg", [apply("Mul", [dy, apply("Mul", [y, y])])]),
  positive,
);
export const Sigmoid = unary("Sigmoid", ({ y, dy, apply }) => {
  const slope = apply("Mul", [y, apply("Sub", [scalar(1), y])]);
  return apply("Mul", [dy, slope]);
});
export const Tanh = unary("Tanh", ({ y, dy, apply }) =>
  apply("Mul", [dy, apply("Sub", [scalar(1), apply("Mul", [y, y])])]),
);

/** The slope at 0 is 0, as PyTorch has it. */
export const Relu = unary(
  "Relu",
  ({ y, dy, apply }) => apply("Where", [apply("Equal", [y, scalar(0)]), scalar(0), dy]),
  () => [{ inputs: [uniform([2, 3], 0.1, 2)] }, { inputs: [uniform([2, 3], -2, -0.1)] }],
);

/** d erf(x)/dx = 2/√π · exp(−x²). */
export const Erf = unary("Erf", ({ x, dy, apply }) => {
  const slope = apply("Exp", [apply("Neg", [apply("Mul", [x, x])])]);
  return apply("Mul", [dy, apply("Mul", [slope, scalar(2 / Math.sqrt(Math.PI))])]);
});

/** The value as it is, through which nothing flows back. */
export const Identity: Op = {
  ...unary("Identity", ({ dy }) => dy),
  gradient: stops("a value that is to count as a constant"),
};

/** `cond ? a : b`; nothing flows to the condition. */
export const Where: Op = {
  name: "Where",
  domain: "",
  inputs: ["bool", "T", "T"],
  attributes: {},
  shape: ([cond, a, b]) => {
    return [{ dtype: a!.dtype, shape: broadcast(cond!.shape, broadcast(a!.shape, b!.shape)) }];
  },
  gradient: ({ inputs, dy, apply }) => {
    const [cond, a, b] = inputs as [Tensor, Tensor, Tensor];
    return [
      null,
      sumTo(apply, apply("Where", [cond, dy, scalar(0)]), a.shape),
      sumTo(apply, apply("Where", [cond, scalar(0), dy]), b.shape),
    ];
  },
  samples: () => [{ inputs: [booleans([2, 3], [1, 0, 1, 0, 0, 1]), uniform([2, 3]), uniform([3], 1, 2)] }],
};

export const Equal: Op = {
  name: "Equal",
  domain: "",
  inputs: ["T", "T"],
  attributes: {},
  shape: (inputs) => [{ dtype: "bool", shape: broadcastShape(inputs)[0]!.shape }],
  gradient: none("bool output"),
  samples: () => [{ inputs: [integers([3], [1, 2, 3]), integers([3], [1, 0, 3])] }],
};

export const elementwise = [
  ...[Add, Sub, Mul, Div, Neg, Abs, Max, Exp, Log, Sqrt, Reciprocal, Sigmoid, Tanh, Relu, Erf],
  ...[Identity, Where, Equal],
];
