// Layer normalisation. Source: onnx operators (LayerNormalization, opset 17).

import { type Op, positiveAxis } from "../op.ts";
import { uniform } from "../sample.ts";
import { int64s, scalar, type Tensor } from "../tensor.ts";

/** y = (x - mean) / sqrt(variance + epsilon) · scale + bias over the last axis. */
export const LayerNormalization: Op = {
  name: "LayerNormalization",
  domain: "",
  inputs: ["F", "F", "F"],
  attributes: { axis: "int", epsilon: "float" },
  shape: ([x, scale, bias], { axis }) => {
    const wanted = `${x!.shape.at(-1)}`;
    if (positiveAxis(axis as number, x!.shape.length) !== x!.shape.length - 1) {
      throw new Error(`Expected the last axis, found ${axis}`);
    }
    if (scale!.shape.join() !== wanted || bias!.shape.join() !== wanted) {
      throw new Error(
        `Expected a scale and a bias of [${wanted}], found [${scale!.shape}] and [${bias!.shape}]`,
      );
    }
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  gradient: ({ inputs, dy, attributes, apply }) => {
    const [x, scale] = inputs as [Tensor, Tensor, Tensor];
    const mean = (t: Tensor) => apply("ReduceMean", [t, int64s([-1])], { keepdims: 1 });
    const centred = apply("Sub", [x, mean(x)]);
    const variance = mean(apply("Mul", [centred, centred]));
    const deviation = apply("Sqrt", [apply("Add", [variance, scalar(attributes.epsilon as number)])]);
    const normal = apply("Div", [centred, deviation]);
    const g = apply("Mul", [dy, scale]);
    const along = apply("Mul", [normal, mean(apply("Mul", [g, normal]))]);
    const rows = int64s([...x.shape.keys()].slice(0, -1));
    const overRows = (t: Tensor) => apply("ReduceSum", [t, rows], { keepdims: 0 });
    return [
      apply("Div", [apply("Sub", [apply("Sub", [g, mean(g)]), along]), deviation]),
      overRows(apply("Mul", [dy, normal])),
      overRows(dy),
    ];
  },
  samples: () => [
    {
      inputs: [uniform([2, 4]), uniform([4], 0.5, 2), uniform([4], -1, 2)],
      attributes: { axis: -1, epsilon: 1e-12 },
    },
    {
      inputs: [uniform([2, 3, 4]), uniform([4], 0.5, 2), uniform([4], -1, 2)],
      attributes: { axis: -1, epsilon: 1e-2 },
    },
  ],
};
