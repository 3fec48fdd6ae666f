// What a legal graph is, as a table of rules, and a walk that names the first node that breaks one. The builder
// checks every node it makes; the ONNX writer checks the whole graph, whoever made it.

import type { DType } from "../base/dtype.ts";
import { GENERATED, type Outputs } from "./names.ts";
import type { AttributeKind, Op } from "./op.ts";
import { ops } from "./ops/table.ts";
import { type Node, nodesOf, type Spec, type Tensor } from "./tensor.ts";

type NodeRule = (node: Node, op: Op) => string | null;

/** Each says what was expected and what was found, or `null` where a node is as it should be. Order matters. */
const NODE_RULES: readonly NodeRule[] = [countInputs, fitDTypes, knowAttributes, haveAttributes];

function countInputs({ inputs }: Node, op: Op): string | null {
  const most = op.inputs.at(-1)?.endsWith("...") ? Number.POSITIVE_INFINITY : op.inputs.length;
  const least = op.inputs.filter((kind) => !kind.endsWith("?")).length;
  if (inputs.length >= least && inputs.length <= most) return null;
  return `expected inputs (${op.inputs.join(", ")}), found ${inputs.length}`;
}

const FLOATS: readonly DType[] = ["float32", "float16"];

function fitDTypes({ inputs }: Node, op: Op): string | null {
  const bound = new Map<string, DType>();
  for (const [i, { dtype }] of inputs.entries()) {
    const kind = (op.inputs[i] ?? op.inputs.at(-1)!).replace(/\?$|\.\.\.$/, "");
    const same = bound.get(kind);
    if (same !== undefined && same !== dtype)
      return `expected operands of one dtype, found ${same} and ${dtype}`;
    if (kind === "F" && !FLOATS.includes(dtype))
      return `expected input ${i} as ${FLOATS.join(" or ")}, found ${dtype}`;
    if (kind === "F" || kind === "T") bound.set(kind, dtype);
    else if (kind !== dtype) return `expected input ${i} as ${kind}, found ${dtype}`;
  }
  return null;
}

function knowAttributes({ attributes }: Node, op: Op): string | null {
  for (const [name, value] of Object.entries(attributes)) {
    const kind = op.attributes[name];
    const known = Object.keys(op.attributes).join(", ") || "none";
    if (kind === undefined) return `expected attributes among ${known}, found ${name}`;
    if (!isOfKind(value, kind))
      return `expected attribute ${name} as ${kind}, found ${JSON.stringify(value)}`;
  }
  return null;
}

function isOfKind(value: unknown, kind: AttributeKind): boolean {
  switch (kind.replace("?", "")) {
    case "int":
      return Number.isSafeInteger(value);
    case "float":
      return typeof value === "number";
    case "string":
      return typeof value === "string";
    default:
      return Array.isArray(value) && value.every(Number.isSafeInteger);
  }
}

function haveAttributes({ attributes }: Node, op: Op): string | null {
  const missing = Object.entries(op.attributes).find(
    ([name, kind]) => !kind.endsWith("?") && attributes[name] === undefined,
  );
  return missing ? `expected attribute ${missing[0]}, found none` : null;
}

/** Specs of a node's outputs. Throws a sentence with the operator, its inputs and what was expected of them. */
export function checkNode(node: Node): readonly Spec[] {
  const op = ops.get(node.op);
  if (!op) throw new Error(`${printNode(node)}: expected an operator of the table`);
  for (const rule of NODE_RULES) {
    const problem = rule(node, op);
    if (problem !== null) throw new Error(`${printNode(node)}: ${problem}`);
  }
  try {
    return op.shape(node.inputs, node.attributes);
  } catch (error) {
    throw new Error(`${printNode(node)}: ${(error as Error).message}`);
  }
}

/** Checks every node that outputs need, first to last, then inputs and outputs; gives the specs of each node. */
export function checkGraph(outputs: Outputs): ReadonlyMap<Node, readonly Spec[]> {
  const specs = new Map<Node, readonly Spec[]>();
  const inputs = new Map<string, Tensor>();
  for (const node of nodesOf(Object.values(outputs))) {
    for (const tensor of node.inputs) checkUse(tensor, { by: () => printNode(node), specs, inputs });
    specs.set(node, checkNode(node));
  }
  for (const [name, tensor] of Object.entries(outputs)) {
    checkUse(tensor, { by: () => `output ${name}`, specs, inputs });
    if (inputs.has(name))
      throw new Error(`output ${name}: expected a name that no input has, found it twice`);
    if (GENERATED.test(name)) throw new Error(`output ${name}: expected a name unlike v3 or c3`);
  }
  return specs;
}

type Walk = {
  readonly by: () => string;
  readonly specs: ReadonlyMap<Node, readonly Spec[]>;
  readonly inputs: Map<string, Tensor>;
};

/** A tensor must be what its source says, and a name must mean one input. */
function checkUse(tensor: Tensor, { by, specs, inputs }: Walk): void {
  const { source } = tensor;
  if (source.kind === "node") {
    const made = specs.get(source)?.[tensor.index];
    if (made && printSpec(made) === printSpec(tensor)) return;
    const found = `${source.op} that gives ${made ? printSpec(made) : "no such output"}`;
    throw new Error(`${by()}: expected ${printSpec(tensor)} as recorded, found ${found}`);
  }
  if (source.kind === "constant") return;
  const before = inputs.get(source.name);
  // Two inputs of one name would be fed the same array, and a gradient would see only one of them.
  if (before && before.source !== source) {
    const found = `${printSpec(before)} and ${printSpec(tensor)}`;
    throw new Error(`${by()}: expected one input ${source.name}, found two: ${found}`);
  }
  if (before && printSpec(before) !== printSpec(tensor)) {
    throw new Error(`${by()}: expected ${source.name} as ${printSpec(before)}, found ${printSpec(tensor)}`);
  }
  if (!before && GENERATED.test(source.name)) {
    throw new Error(`${by()}: expected an input name unlike v3 or c3, found ${source.name}`);
  }
  inputs.set(source.name, tensor);
}

/** Such as `float32[4,32]`. */
export function printSpec({ dtype, shape }: Spec): string {
  return `${dtype}[${shape}]`;
}

function printNode({ op, inputs }: Node): string {
  return `${op}(${inputs.map((tensor) => nameOf(tensor) + printSpec(tensor)).join(", ")})`;
}

function nameOf({ source }: Tensor): string {
  if (source.kind === "constant") return "";
  return `${source.kind === "input" ? source.name : source.op} `;
}
