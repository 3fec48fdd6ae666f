// Writes a graph as an ONNX model (ModelProto; onnx:onnx/onnx.proto, IR version 10, opset 23). Graph inputs stay
// inputs, constants become initializers; values are numbered in the order of their nodes, so equal graphs give
// equal bytes.

import type { DType } from "../base/dtype.ts";
import { checkGraph } from "./check.ts";
import { type Named, nameGraph, type Outputs, outputAt } from "./names.ts";
import { ops } from "./ops/table.ts";
import type { Program } from "./program.ts";
import { bytes, type Field, float, integer, join, packed } from "./protobuf.ts";
import type { Node, Order, Spec, Tensor } from "./tensor.ts";

const IR_VERSION = 10;
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

/** The program that computes `outputs` from the inputs they reach. Throws when the graph is not a legal one. */
export function writeProgram(name: string, outputs: Outputs, order?: Order): Program {
  const specs = checkGraph(outputs);
  const { nodes, inputs, constants, nameOf } = nameGraph(outputs, order);
  const graph = [
    ...nodes.map((node) => bytes(1, writeNode(node, specs.get(node)!.length, nameOf))),
    ...Object.entries(outputs)
      .filter(([key, tensor]) => nameOf(tensor) !== key)
      .map(([key, tensor]) =>
        bytes(1, [bytes(1, nameOf(tensor)), bytes(2, key), bytes(3, key), bytes(4, "Identity")]),
      ),
    bytes(2, name),
    ...constants.map((tensor) => bytes(5, writeConstant(tensor, nameOf(tensor)))),
    ...inputs.map((tensor) => bytes(11, writeValueInfo(nameOf(tensor), tensor))),
    ...Object.entries(outputs).map(([key, tensor]) => bytes(12, writeValueInfo(key, tensor))),
  ];
  const onnx = join([
    integer(1, IR_VERSION),
    bytes(2, "codefudge"),
    bytes(7, graph),
    bytes(8, [integer(2, OPSET)]),
    bytes(8, [bytes(1, "com.microsoft"), integer(2, 1)]),
  ]);
  const inputSpecs = inputs.map((tensor) => [nameOf(tensor), { dtype: tensor.dtype, shape: tensor.shape }]);
  return { name, inputs: Object.fromEntries(inputSpecs), outputs, onnx };
}

function writeNode(node: Node, count: number, nameOf: Named["nameOf"]): Field[] {
  const results = Array.from({ length: count }, (_, index) => nameOf(outputAt(node, index)));
  return [
    ...node.inputs.map((tensor) => bytes(1, nameOf(tensor))),
    ...results.map((result) => bytes(2, result)),
    // The runtime's messages name the node; it is called as its first output is in the printed graph.
    bytes(3, results[0]!),
    bytes(4, node.op),
    ...Object.entries(node.attributes).map(([name, value]) => bytes(5, writeAttribute(node, name, value))),
    bytes(7, ops.get(node.op)!.domain),
  ];
}

function writeAttribute(node: Node, name: string, value: unknown): Field[] {
  const kind = ops.get(node.op)!.attributes[name]?.replace("?", "");
  switch (kind) {
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
