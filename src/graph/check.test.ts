// Each rule of the checker on a graph that breaks it: the sentence names the node, its inputs and what was expected.

import assert from "node:assert/strict";
import { test } from "node:test";
import { add, apply, linear, mul } from "./build.ts";
import { checkGraph } from "./check.ts";
import { writeProgram } from "./onnx.ts";
import { ops } from "./ops/table.ts";
import { input, int64s, type Node, nodesOf, type Tensor } from "./tensor.ts";

const x = input("x", "float32", [4, 3]);
const w = input("w", "float32", [2, 3]);
const ids = input("ids", "int64", [4]);

/** A node as a careless author would make it: nothing is checked. */
function raw(op: string, inputs: readonly Tensor[], attributes: Node["attributes"] = {}): Tensor {
  return { dtype: "float32", shape: [4, 2], source: { kind: "node", op, inputs, attributes }, index: 0 };
}

const broken: Readonly<Record<string, readonly [Tensor, string]>> = {
  "unknown op": [
    raw("Gemmm", [x, w]),
    "Gemmm(x float32[4,3], w float32[2,3]): expected an operator of the table",
  ],
  "unknown attribute": [
    raw("Gemm", [x, w], { transC: 1 }),
    "Gemm(x float32[4,3], w float32[2,3]): expected attributes among transA, transB, alpha, beta, found transC",
  ],
  "attribute of another kind": [
    raw("Gemm", [x, w], { transB: 0.5 }),
    "Gemm(x float32[4,3], w float32[2,3]): expected attribute transB as int?, found 0.5",
  ],
  "missing attribute": [raw("Softmax", [x]), "Softmax(x float32[4,3]): expected attribute axis, found none"],
  "too few inputs": [raw("Gemm", [x]), "Gemm(x float32[4,3]): expected inputs (F, F, F?), found 1"],
  "too many inputs": [
    raw("Neg", [x, w]),
    "Neg(x float32[4,3], w float32[2,3]): expected inputs (F), found 2",
  ],
  "shape rule": [
    raw("Gemm", [x, w]),
    "Gemm(x float32[4,3], w float32[2,3]): Expected inner extents to agree, found [4,3] and [2,3] (transA 0, transB 0)",
  ],
  "dtypes that differ": [
    raw("Add", [x, input("n", "int64", [4, 3])]),
    "Add(x float32[4,3], n int64[4,3]): expected operands of one dtype, found float32 and int64",
  ],
  "dtype that is fixed": [
    raw("Gather", [x, input("n", "int32", [4])]),
    "Gather(x float32[4,3], n int32[4]): expected input 1 as int64, found int32",
  ],
  "dtype that is no float": [
    raw("Exp", [ids]),
    "Exp(ids int64[4]): expected input 0 as float32 or float16, found int64",
  ],
  "recorded spec at a use": [
    raw("Neg", [{ ...linear(x, w), shape: [4, 3] }]),
    "Neg(Gemm float32[4,3]): expected float32[4,3] as recorded, found Gemm that gives float32[4,2]",
  ],
  "recorded spec at an output": [
    { ...linear(x, w), dtype: "float16" },
    "output y: expected float16[4,2] as recorded, found Gemm that gives float32[4,2]",
  ],
  "an output that a node does not have": [
    { ...linear(x, w), index: 1 },
    "output y: expected float32[4,2] as recorded, found Gemm that gives no such output",
  ],
  "two inputs of one name": [
    mul(add(x, x), input("x", "float32", [3])),
    "Mul(Add float32[4,3], x float32[3]): expected one input x, found two: float32[4,3] and float32[3]",
  ],
  "two equal inputs of one name": [
    mul(x, input("x", "float32", [4, 3])),
    "Mul(x float32[4,3], x float32[4,3]): expected one input x, found two: float32[4,3] and float32[4,3]",
  ],
  "one input with two specs": [
    apply("MatMul", [x, { ...x, shape: [3, 4] }]),
    "MatMul(x float32[4,3], x float32[3,4]): expected x as float32[4,3], found float32[3,4]",
  ],
  "a generated name": [
    mul(x, input("v3", "float32", [3])),
    "Mul(x float32[4,3], v3 float32[3]): expected an input name unlike v3 or c3, found v3",
  ],
};

for (const [rule, [y, sentence]] of Object.entries(broken)) {
  test(`checker: ${rule}`, () => {
    assert.throws(() => checkGraph({ y }), { message: sentence });
    assert.throws(() => writeProgram("broken", { y }), { message: sentence });
  });
}

test("checker: names of outputs", () => {
  assert.throws(() => checkGraph({ x: mul(x, x) }), {
    message: "output x: expected a name that no input has, found it twice",
  });
  assert.throws(() => checkGraph({ c0: mul(x, x) }), {
    message: "output c0: expected a name unlike v3 or c3",
  });
  assert.equal(checkGraph({ y: x }).size, 0, "an input may be handed through under another name");
});

test("the first offending node in the order of computing is named", () => {
  const first = raw("Gemmm", [x, w]);
  assert.throws(() => checkGraph({ y: raw("Unknown", [first]), z: raw("Exp", [ids]) }), /^Error: Gemmm\(/);
});

test("the builder refuses what the checker refuses", () => {
  assert.throws(() => apply("Gemmm", [x, w]), /expected an operator of the table/);
  assert.throws(() => apply("Softmax", [x]), /expected attribute axis/);
  assert.throws(() => apply("Gemm", [x, ids]), /expected operands of one dtype/);
});

test("specs of every node come back, in the order of computing", () => {
  const y = add(linear(x, w), linear(x, w));
  const specs = checkGraph({ y });
  assert.deepEqual([...specs.keys()], nodesOf([y]));
  assert.deepEqual([...specs.values()].flat(), Array(3).fill({ dtype: "float32", shape: [4, 2] }));
});

/** Graphs that shape rules must refuse: what would otherwise fail in the runtime, or compute something else. */
const misfits: readonly (readonly [string, readonly Tensor[], Node["attributes"]])[] = [
  ["Add", [x, input("b", "float32", [4, 2])], {}],
  ["Where", [input("m", "bool", [5]), x, x], {}],
  ["MatMul", [x, w], {}],
  ["MatMul", [input("a", "float32", [3]), input("b", "float32", [3, 1])], {}],
  ["Gemm", [x, w, input("c", "float32", [3])], { transB: 1 }],
  ["Gemm", [input("a", "float32", [1, 4, 3]), w], { transB: 1 }],
  ["Transpose", [x], { perm: [0, 0] }],
  ["ReduceSum", [x, int64s([2])], { keepdims: 0 }],
  ["Softmax", [x], { axis: 2 }],
  ["Reshape", [x, int64s([5, 2])], {}],
  ["Reshape", [x, int64s([5, -1])], {}],
  ["Reshape", [x, ids], {}],
  ["Expand", [x, int64s([4, 2])], {}],
  ["Concat", [x, w], { axis: 1 }],
  ["Concat", [x, input("b", "float32", [4])], { axis: 1 }],
  ["Slice", [x, int64s([0]), int64s([5]), int64s([0])], {}],
  ["Pad", [x, int64s([1, 1])], {}],
  ["Gather", [x, ids], { axis: 2 }],
  ["ScatterND", [x, input("i", "int64", [2, 1]), x], { reduction: "add" }],
  ["ScatterND", [x, input("i", "int64", [4, 1]), x], { reduction: "none" }],
  ["GatherElements", [x, input("i", "int64", [3, 1])], { axis: 1 }],
  ["ScatterElements", [x, input("i", "int64", [4, 1]), x], { axis: 1, reduction: "add" }],
  ["ScatterElements", [x, input("i", "int64", [4, 3]), x], { axis: 1, reduction: "none" }],
  ["Cast", [ids], { to: 7 }],
  ["SimplifiedLayerNormalization", [x, input("s", "float32", [4])], { axis: -1, epsilon: 1e-5 }],
  ["SimplifiedLayerNormalization", [x, input("s", "float32", [3])], { axis: 0, epsilon: 1e-5 }],
  ["RotaryEmbedding", [input("q", "float32", [1, 4, 8]), input("i", "int64", [1, 3]), w, w], {}],
];

for (const [op, inputs, attributes] of misfits) {
  const shapes = inputs.map(({ shape }) => `[${shape}]`).join(", ");
  test(`shape rule of ${op} refuses ${shapes} ${JSON.stringify(attributes)}`, () => {
    assert.throws(() => ops.get(op)!.shape(inputs, attributes), /^Error: Expected/);
  });
}
