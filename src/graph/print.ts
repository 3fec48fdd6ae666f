// Prints a graph as text, one line a value: inputs, large constants, nodes, then outputs. The names are those of the
// ONNX file. Equal graphs print equally, so a change of the graph is read as a difference of two texts.

import type { DType } from "../base/dtype.ts";
import { nameGraph, type Outputs, outputAt } from "./names.ts";
import { ops } from "./ops/table.ts";
import type { Node, Spec, Tensor } from "./tensor.ts";

const SHORT: Readonly<Record<DType, string>> = {
  float32: "f32",
  float16: "f16",
  int64: "i64",
  int32: "i32",
  uint8: "u8",
  int8: "i8",
  bool: "bool",
};

/** Constants of at most this many values stand where they are used. */
const INLINE = 8;

/** A program, or anything with a name and outputs. */
export function printProgram({
  name,
  outputs,
}: {
  readonly name: string;
  readonly outputs: Outputs;
}): string {
  return `program ${name}\n${printGraph(outputs)}`;
}

export function printGraph(outputs: Outputs): string {
  const { nodes, inputs, constants, nameOf } = nameGraph(outputs);
  const large = constants.filter((tensor) => !isInline(tensor));
  const operand = (tensor: Tensor) => (isInline(tensor) ? printValues(tensor) : nameOf(tensor));
  const lines = [
    ...inputs.map((tensor) => `input ${nameOf(tensor)} ${printType(tensor)}`),
    ...large.map((tensor) => `${nameOf(tensor)} ${printType(tensor)} = ${printValues(tensor)}`),
    ...nodes.map((node) => printNode(node, { nameOf, operand })),
    ...Object.entries(outputs).map(([key, tensor]) => {
      const from = operand(tensor);
      return `output ${key} ${printType(tensor)}${from === key ? "" : ` = ${from}`}`;
    }),
  ];
  return `${lines.join("\n")}\n`;
}

function printNode(
  node: Node,
  names: Readonly<Record<"nameOf" | "operand", (tensor: Tensor) => string>>,
): string {
  const specs = ops.get(node.op)!.shape(node.inputs, node.attributes);
  const results = specs.map((spec, i) => `${names.nameOf(outputAt(node, i))} ${printType(spec)}`);
  const attributes = Object.entries(node.attributes).map(
    ([name, value]) => `${name}=${printAttribute(value)}`,
  );
  return `${results.join(", ")} = ${node.op}(${[...node.inputs.map(names.operand), ...attributes].join(", ")})`;
}

function printAttribute(value: number | string | readonly number[]): string {
  return typeof value === "number" ? printNumber(value) : JSON.stringify(value);
}

function printType({ dtype, shape }: Spec): string {
  return `${SHORT[dtype]}[${shape}]`;
}

function isInline({ source }: Tensor): boolean {
  return source.kind === "constant" && source.values.length <= INLINE;
}

/** All values of a small constant; the first and the sum of a large one. */
function printValues({ source, shape }: Tensor): string {
  if (source.kind !== "constant") return "";
  const values = Array.from(source.values, Number);
  if (shape.length === 0) return printNumber(values[0]!);
  const first = values.slice(0, INLINE).map(printNumber).join(" ");
  if (values.length <= INLINE) return `[${first}]`;
  return `[${first} …], sum ${printNumber(values.reduce((total, value) => total + value, 0))}`;
}

/** Six digits: what is left out differs between machines' cosines. */
function printNumber(value: number): string {
  return String(Number(value.toPrecision(6)));
}
