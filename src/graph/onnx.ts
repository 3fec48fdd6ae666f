// Writes a graph as an ONNX model (ModelProto; onnx:onnx/onnx.proto, IR version 10, opset 23). Graph inputs stay
// inputs, constants become initializers; values are numbered in the order of their nodes, so equal graphs give
// equal bytes.

import type { DType } from "../base/dtype.ts";
import { ops } from "./ops/table.ts";
import type { Program } from "./program.ts";
import { bytes, type Field, float, integer, join, packed } from "./protobuf.ts";
import { type Node, nodesOf, type Spec, type Tensor } from "./tensor.ts";

const OPSET = 23;
const elementType: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};

/** The program that computes `outputs` from the inputs they reach. */
export function writeProgram(name: string, outputs: Readonly<Record<string, Tensor>>): Program {
  const nodes = nodesOf(Object.values(outputs));
  const names = nameValues(nodes, outputs);
  const inputs = collect(nodes, outputs, "input");
  const constants = collect(nodes, outputs, "constant");
  const graph = [
    ...nodes.map((node) => bytes(1, writeNode(node, names))),
    ...Object.entries(outputs)
      .filter(([key, tensor]) => tensor.source.kind !== "node" || names(tensor) !== key)
      .map(([key, tensor]) => bytes(1, [bytes(1, names(tensor)), bytes(2, key), bytes(4, "Identity")])),
    bytes(2, name),
    ...constants.map((tensor) => bytes(5, writeConstant(tensor, names(tensor)))),
    ...inputs.map((tensor) => bytes(11, writeValueInfo(names(tensor), tensor))),
    ...Object.entries(outputs).map(([key, tensor]) => bytes(12, writeValueInfo(key, tensor))),
  ];
  const onnx = join([
    integer(1, 10),
    bytes(2, "codefudge"),
    bytes(7, graph),
    bytes(8, [integer(2, OPSET)]),
    bytes(8, [bytes(1, "com.microsoft"), integer(2, 1)]),
  ]);
  const specs = (tensors: [string, Tensor][]) =>
    Object.fromEntries(tensors.map(([key, { dtype, shape }]) => [key, { dtype, shape }]));
  return {
    name,
    inputs: specs(inputs.map((tensor) => [names(tensor), tensor])),
    outputs: specs(Object.entries(outputs)),
    onnx,
  };
}

/** A name for each value: an input's own, an output's own, `c3` for constants, `v7` or `v7_1` for the rest. */
function nameValues(
  nodes: readonly Node[],
  outputs: Readonly<Record<string, Tensor>>,
): (tensor: Tensor) => string {
  const ids = new Map<object, number>(nodes.map((node, i) => [node, i]));
  const constants = new Map<object, number>();
  const given = new Map<string, string>();
  const key = (tensor: Tensor) => `${ids.get(tensor.source)}_${tensor.index}`;
  for (const [name, tensor] of Object.entries(outputs)) {
    if (tensor.source.kind === "node" && !given.has(key(tensor))) given.set(key(tensor), name);
  }
  return (tensor) => {
    const { source } = tensor;
    if (source.kind === "input") return source.name;
    if (source.kind === "node") {
      return given.get(key(tensor)) ?? (tensor.index === 0 ? `v${ids.get(source)}` : `v${key(tensor)}`);
    }
    if (!constants.has(source)) constants.set(source, constants.size);
    return `c${constants.get(source)}`;
  };
}

/** Inputs or constants that nodes and outputs use, each once, in order of first use. */
function collect(
  nodes: readonly Node[],
  outputs: Readonly<Record<string, Tensor>>,
  kind: "input" | "constant",
): Tensor[] {
  const found = new Map<unknown, Tensor>();
  for (const tensor of [...nodes.flatMap((node) => node.inputs), ...Object.values(outputs)]) {
    if (tensor.source.kind !== kind) continue;
    const id = tensor.source.kind === "input" ? tensor.source.name : tensor.source;
    if (!found.has(id)) found.set(id, tensor);
  }
  return [...found.values()];
}

function writeNode(node: Node, names: (tensor: Tensor) => string): Field[] {
  const op = ops.get(node.op)!;
  const count = op.shape(node.inputs, node.attributes).length;
  return [
    ...node.inputs.map((tensor) => bytes(1, names(tensor))),
    ...Array.from({ length: count }, (_, index) => bytes(2, names(outputName(node, index)))),
    bytes(4, node.op),
    ...Object.entries(node.attributes).map(([name, value]) => bytes(5, writeAttribute(node, name, value))),
    bytes(7, op.domain),
  ];
}

function outputName(node: Node, index: number): Tensor {
  return { dtype: "float32", shape: [], source: node, index };
}

function writeAttribute(node: Node, name: string, value: unknown): Field[] {
  const type = ops.get(node.op)!.attributes[name];
  switch (type) {
    case "int":
      return [bytes(1, name), integer(3, value as number), integer(20, 2)];
    case "float":
      return [bytes(1, name), float(2, value as number), integer(20, 1)];
    case "string":
      return [bytes(1, name), bytes(4, value as string), integer(20, 3)];
    case "ints":
      return [bytes(1, name), packed(8, value as number[]), integer(20, 7)];
    default:
      throw new Error(`Expected an attribute of ${node.op}, found ${name}`);
  }
}

function writeConstant(tensor: Tensor, name: string): Field[] {
  if (tensor.source.kind !== "constant") throw new Error("Expected a constant");
  const { values } = tensor.source;
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return [packed(1, tensor.shape), integer(2, elementType[tensor.dtype]), bytes(8, name), bytes(9, raw)];
}

function writeValueInfo(name: string, { dtype, shape }: Spec): Field[] {
  const dimensions = shape.map((extent) => bytes(1, [integer(1, extent)]));
  return [bytes(1, name), bytes(2, [bytes(1, [integer(1, elementType[dtype]), bytes(2, dimensions)])])];
}
