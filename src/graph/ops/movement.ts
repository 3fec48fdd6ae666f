// Operators that move values without computing: shapes, slices, rows by index.

import { sizeOf } from "../../base/dtype.ts";
import { broadcast, none, type Op, positiveAxis } from "../op.ts";
import { integers, uniform } from "../sample.ts";
import { constant, constantValues, int64s, type Tensor } from "../tensor.ts";
import { sumTo } from "./elementwise.ts";

export const Reshape: Op = {
  name: "Reshape",
  domain: "",
  inputs: ["T", "int64"],
  attributes: {},
  shape: ([x, shape]) => {
    const wanted = constantValues(shape!);
    const known = wanted.reduce((n, extent) => (extent === -1 ? n : n * extent), 1);
    const resolved = wanted.map((extent) => (extent === -1 ? sizeOf(x!.shape) / known : extent));
    if (sizeOf(resolved) !== sizeOf(x!.shape) || !resolved.every(Number.isInteger)) {
      throw new Error(`Expected as many elements as [${x!.shape}], found [${wanted}]`);
    }
    return [{ dtype: x!.dtype, shape: resolved }];
  },
  gradient: ({ inputs, dy, apply }) => [apply("Reshape", [dy, int64s(inputs[0]!.shape)]), null],
  samples: () => [{ inputs: [uniform([2, 6]), int64s([3, -1])] }],
};

export const Expand: Op = {
  name: "Expand",
  domain: "",
  inputs: ["T", "int64"],
  attributes: {},
  shape: ([x, shape]) => [{ dtype: x!.dtype, shape: broadcast(x!.shape, constantValues(shape!)) }],
  gradient: ({ inputs, dy, apply }) => [sumTo(apply, dy, inputs[0]!.shape), null],
  samples: () => [{ inputs: [uniform([3, 1]), int64s([2, 3, 4])] }],
};

export const Concat: Op = {
  name: "Concat",
  domain: "",
  inputs: ["T..."],
  attributes: { axis: "int" },
  shape: (inputs, { axis }) => {
    const first = inputs[0]!;
    const at = positiveAxis(axis as number, first.shape.length);
    for (const other of inputs) {
      if (
        other.shape.length !== first.shape.length ||
        other.shape.some((extent, i) => i !== at && extent !== first.shape[i])
      ) {
        throw new Error(
          `Expected shapes equal but for axis ${at}, found [${first.shape}] and [${other.shape}]`,
        );
      }
    }
    const total = inputs.reduce((n, other) => n + other.shape[at]!, 0);
    return [{ dtype: first.dtype, shape: first.shape.map((extent, i) => (i === at ? total : extent)) }];
  },
  gradient: ({ inputs, dy, attributes, apply }) => {
    const axis = positiveAxis(attributes.axis as number, dy.shape.length);
    let start = 0;
    return inputs.map((part) => {
      const end = start + part.shape[axis]!;
      const gradient = apply("Slice", [dy, int64s([start]), int64s([end]), int64s([axis])]);
      start = end;
      return gradient;
    });
  },
  samples: () => [{ inputs: [uniform([2, 3]), uniform([2, 1]), uniform([2, 2])], attributes: { axis: 1 } }],
};

/** Parts along an axis; the sizes are a constant. */
export const Split: Op = {
  name: "Split",
  domain: "",
  inputs: ["T", "int64"],
  attributes: { axis: "int" },
  shape: ([x, sizes], { axis }) => {
    const at = positiveAxis(axis as number, x!.shape.length);
    const parts = constantValues(sizes!);
    if (parts.reduce((n, size) => n + size, 0) !== x!.shape[at] || parts.some((size) => size < 1)) {
      throw new Error(`Expected sizes that add up to ${x!.shape[at]}, found ${parts}`);
    }
    return parts.map((size) => ({ dtype: x!.dtype, shape: x!.shape.map((n, i) => (i === at ? size : n)) }));
  },
  gradient: ({ outputs, dys, attributes, apply }) => {
    const zero = constant("float32", [1], Float32Array.of(0));
    const parts = outputs.map(({ shape }, i) => dys[i] ?? apply("Expand", [zero, int64s(shape)]));
    return [apply("Concat", parts, attributes), null];
  },
  samples: () => [{ inputs: [uniform([3, 5]), int64s([2, 3])], attributes: { axis: 1 } }],
};

/** Slice with step 1; starts, ends and axes are constants. */
export const Slice: Op = {
  name: "Slice",
  domain: "",
  inputs: ["T", "int64", "int64", "int64"],
  attributes: {},
  shape: ([x, starts, ends, axes]) => {
    const shape = [...x!.shape];
    constantValues(axes!).forEach((axis, i) => {
      const at = positiveAxis(axis, shape.length);
      const [start, end] = [constantValues(starts!)[i]!, constantValues(ends!)[i]!];
      if (start < 0 || end > shape[at]! || start >= end) {
        throw new Error(`Expected a range inside ${shape[at]} on axis ${at}, found ${start} to ${end}`);
      }
      shape[at] = end - start;
    });
    return [{ dtype: x!.dtype, shape }];
  },
  gradient: ({ inputs, dy, apply }) => {
    const [x, starts, ends, axes] = inputs as [Tensor, Tensor, Tensor, Tensor];
    const pads = [x.shape.map(() => 0), x.shape.map(() => 0)] as const;
    constantValues(axes).forEach((axis, i) => {
      const at = positiveAxis(axis, x.shape.length);
      pads[0][at] = constantValues(starts)[i]!;
      pads[1][at] = x.shape[at]! - constantValues(ends)[i]!;
    });
    return [apply("Pad", [dy, int64s([...pads[0], ...pads[1]])], {}), null, null, null];
  },
  samples: () => [{ inputs: [uniform([3, 5]), int64s([1, 2]), int64s([3, 5]), int64s([0, 1])] }],
};

/** Zeros around; the pads are all the begins, then all the ends. */
export const Pad: Op = {
  name: "Pad",
  domain: "",
  inputs: ["T", "int64"],
  attributes: {},
  shape: ([x, pads]) => {
    const counts = constantValues(pads!);
    const rank = x!.shape.length;
    if (counts.length !== 2 * rank) throw new Error(`Expected ${2 * rank} pads, found ${counts.length}`);
    return [{ dtype: x!.dtype, shape: x!.shape.map((extent, i) => extent + counts[i]! + counts[rank + i]!) }];
  },
  gradient: ({ inputs, dy, apply }) => {
    const [x, pads] = inputs as [Tensor, Tensor];
    const begins = constantValues(pads).slice(0, x.shape.length);
    const ends = begins.map((begin, i) => begin + x.shape[i]!);
    return [apply("Slice", [dy, int64s(begins), int64s(ends), int64s([...x.shape.keys()])]), null];
  },
  samples: () => [{ inputs: [uniform([2, 2]), int64s([1, 0, 2, 1])] }],
};

/** Slices of an axis by index: on the first, [n, ...] and [...i] give [...i, ...]; nothing flows back on others. */
export const Gather: Op = {
  name: "Gather",
  domain: "",
  inputs: ["T", "int64"],
  attributes: { axis: "int?" },
  shape: ([x, indices], { axis }) => {
    const at = positiveAxis((axis ?? 0) as number, x!.shape.length);
    return [
      { dtype: x!.dtype, shape: [...x!.shape.slice(0, at), ...indices!.shape, ...x!.shape.slice(at + 1)] },
    ];
  },
  gradient: ({ inputs, dy, attributes, apply }) => {
    if ((attributes.axis ?? 0) !== 0) throw new Error(`Expected axis 0, found ${attributes.axis}`);
    const [x, indices] = inputs as [Tensor, Tensor];
    const zeros = apply("Expand", [constant("float32", [1], Float32Array.of(0)), int64s(x.shape)]);
    const column = apply("Reshape", [indices, int64s([...indices.shape, 1])]);
    return [apply("ScatterND", [zeros, column, dy], { reduction: "add" }), null];
  },
  samples: () => [{ inputs: [uniform([4, 3]), integers([3], [2, 0, 2])], attributes: { axis: 0 } }],
};

/** Adds rows of updates into a copy of the data; indices end in an axis of extent 1 and name rows. */
export const ScatterND: Op = {
  name: "ScatterND",
  domain: "",
  inputs: ["T", "int64", "T"],
  attributes: { reduction: "string" },
  shape: ([x, indices, updates], { reduction }) => {
    if (reduction !== "add") throw new Error(`Expected reduction "add", found ${reduction}`);
    const wanted = [...indices!.shape.slice(0, -1), ...x!.shape.slice(1)];
    if (indices!.shape.at(-1) !== 1 || wanted.join() !== updates!.shape.join()) {
      throw new Error(
        `Expected updates [${wanted}] for indices [${indices!.shape}], found [${updates!.shape}]`,
      );
    }
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  gradient: ({ inputs, dy, apply }) => {
    const indices = inputs[1]!;
    const rows = apply("Reshape", [indices, int64s(indices.shape.slice(0, -1))]);
    return [dy, null, apply("Gather", [dy, rows], { axis: 0 })];
  },
  samples: () => [
    {
      inputs: [uniform([4, 3]), integers([3, 1], [2, 0, 2]), uniform([3, 3])],
      attributes: { reduction: "add" },
    },
  ],
};

/** Indices along an axis have the data's shape but for that axis. */
function requireRows({ shape }: Tensor, indices: Tensor, axis: number): void {
  const at = positiveAxis(axis, shape.length);
  const fits =
    indices.shape.length === shape.length && shape.every((n, i) => i === at || n === indices.shape[i]);
  if (!fits) throw new Error(`Expected indices of [${shape}] along axis ${at}, found [${indices.shape}]`);
}

/** One value of each row: data [m, n] and indices [m, 1] along axis 1. */
export const GatherElements: Op = {
  name: "GatherElements",
  domain: "",
  inputs: ["T", "int64"],
  attributes: { axis: "int" },
  shape: ([x, indices], { axis }) => {
    requireRows(x!, indices!, axis as number);
    return [{ dtype: x!.dtype, shape: indices!.shape }];
  },
  gradient: ({ inputs, dy, attributes, apply }) => {
    const [x, indices] = inputs as [Tensor, Tensor];
    const zeros = apply("Expand", [constant("float32", [1], Float32Array.of(0)), int64s(x.shape)]);
    return [
      apply("ScatterElements", [zeros, indices, dy], { axis: attributes.axis!, reduction: "add" }),
      null,
    ];
  },
  samples: () => [{ inputs: [uniform([3, 4]), integers([3, 1], [2, 0, 3])], attributes: { axis: 1 } }],
};

export const ScatterElements: Op = {
  name: "ScatterElements",
  domain: "",
  inputs: ["T", "int64", "T"],
  attributes: { axis: "int", reduction: "string" },
  shape: ([x, indices, updates], { axis, reduction }) => {
    if (reduction !== "add") throw new Error(`Expected reduction "add", found ${reduction}`);
    requireRows(x!, indices!, axis as number);
    if (indices!.shape.join() !== updates!.shape.join()) {
      throw new Error(`Expected updates of shape [${indices!.shape}], found [${updates!.shape}]`);
    }
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  gradient: ({ inputs, dy, attributes, apply }) => [
    dy,
    null,
    apply("GatherElements", [dy, inputs[1]!], { axis: attributes.axis! }),
  ],
  samples: () => [
    {
      inputs: [uniform([3, 4]), integers([3, 1], [2, 0, 3]), uniform([3, 1])],
      attributes: { axis: 1, reduction: "add" },
    },
  ],
};

export const Cast: Op = {
  name: "Cast",
  domain: "",
  inputs: ["T"],
  attributes: { to: "int" },
  shape: ([x], { to }) => {
    const dtype = to === 1 ? "float32" : to === 10 ? "float16" : null;
    if (dtype === null) throw new Error(`Expected a cast to float32 (1) or float16 (10), found ${to}`);
    return [{ dtype, shape: x!.shape }];
  },
  gradient: none("another type than what flows back"),
  samples: () => [
    { inputs: [integers([3], [1, 2, 3])], attributes: { to: 1 } },
    { inputs: [uniform([3])], attributes: { to: 10 } },
  ],
};

export const movement = [
  Reshape,
  Expand,
  Concat,
  Split,
  Slice,
  Pad,
  Gather,
  ScatterND,
  GatherElements,
  ScatterElements,
  Cast,
];
