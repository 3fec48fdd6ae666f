// Names of the values of a graph, for the ONNX file and for the printed text alike, so that a node which the runtime
// complains about is found by its name in the print. Numbered in the order of nodes: equal graphs, equal names.

import { type Node, type Order, orderedNodes, type Tensor } from "./tensor.ts";

/** What a graph computes, by name. */
export type Outputs = Readonly<Record<string, Tensor>>;

/** Names that values without one of their own get; nothing else may be called so. */
export const GENERATED = /^[vc]\d+(_\d+)?$/;

export type Named = {
  /** Each after the nodes it takes from. */
  readonly nodes: readonly Node[];
  /** Each once, in order of first use. */
  readonly inputs: readonly Tensor[];
  readonly constants: readonly Tensor[];
  /** An input's own name, an output's own, `c3` for a constant, `v7` or `v7_1` for the rest. */
  readonly nameOf: (tensor: Tensor) => string;
};

/** The nodes, inputs and constants that outputs need, and a name for every value. */
export function nameGraph(outputs: Outputs, order: Order = "first"): Named {
  const nodes = orderedNodes(Object.values(outputs), order);
  const constants = collect(nodes, outputs, "constant");
  const ids = new Map<object, number>([
    ...nodes.map((node, i) => [node, i] as const),
    ...constants.map((tensor, i) => [tensor.source, i] as const),
  ]);
  const key = (tensor: Tensor) => `${ids.get(tensor.source)}${tensor.index === 0 ? "" : `_${tensor.index}`}`;
  const given = new Map<string, string>();
  for (const [name, tensor] of Object.entries(outputs)) {
    if (tensor.source.kind === "node" && !given.has(key(tensor))) given.set(key(tensor), name);
  }
  const nameOf = (tensor: Tensor): string => {
    if (tensor.source.kind === "input") return tensor.source.name;
    if (tensor.source.kind === "constant") return `c${ids.get(tensor.source)}`;
    return given.get(key(tensor)) ?? `v${key(tensor)}`;
  };
  return { nodes, inputs: collect(nodes, outputs, "input"), constants, nameOf };
}

/** The output of a node as a tensor to be named; its dtype and shape are not known here. */
export function outputAt(source: Node, index: number): Tensor {
  return { dtype: "float32", shape: [], source, index };
}

function collect(nodes: readonly Node[], outputs: Outputs, kind: "input" | "constant"): Tensor[] {
  const found = new Map<object, Tensor>();
  for (const tensor of [...nodes.flatMap((node) => node.inputs), ...Object.values(outputs)]) {
    if (tensor.source.kind === kind && !found.has(tensor.source)) found.set(tensor.source, tensor);
  }
  return [...found.values()];
}
