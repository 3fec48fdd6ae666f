// The symbolic tensor: a dtype, a shape, and what makes it. No numbers inside except in constants; nothing here
// runs anything. A graph is simply the tensors reachable from its outputs.

import type { DType, TypedArray } from "../base/dtype.ts";
import { sizeOf } from "../base/dtype.ts";

export type Spec = { readonly dtype: DType; readonly shape: readonly number[] };

/** `index` is which output of its node this tensor is. */
export type Tensor = Spec & { readonly source: Input | Constant | Node; readonly index: number };

/** A value that the caller gives at each run: ids, weights, a gradient that comes from the next stage. */
export type Input = { readonly kind: "input"; readonly name: string };

/** A small value known when the graph is built: axes, shapes, masks. */
export type Constant = { readonly kind: "constant"; readonly values: TypedArray };

export type Attributes = Readonly<Record<string, number | string | readonly number[]>>;

export type Node = {
  readonly kind: "node";
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
  /** Stands in place of the operator's own gradient rule. */
  readonly pullback?: Pullback;
};

/** Gradients of the tensors `of`, on which the node's output depends, given its own; `null` where none flows. */
export type Pullback = {
  readonly of: readonly Tensor[];
  readonly rule: (dy: Tensor) => readonly (Tensor | null)[];
};

export function input(name: string, dtype: DType, shape: readonly number[]): Tensor {
  return { dtype, shape, source: { kind: "input", name }, index: 0 };
}

export function constant(dtype: DType, shape: readonly number[], values: TypedArray): Tensor {
  if (values.length !== sizeOf(shape)) {
    throw new Error(`Expected ${sizeOf(shape)} values for a constant of [${shape}], found ${values.length}`);
  }
  return { dtype, shape, source: { kind: "constant", values }, index: 0 };
}

/** A float32 scalar. */
export function scalar(value: number): Tensor {
  return constant("float32", [], Float32Array.of(value));
}

/** A one-dimensional int64 constant, the form in which ONNX takes axes and shapes. */
export function int64s(values: readonly number[]): Tensor {
  return constant("int64", [values.length], BigInt64Array.from(values, BigInt));
}

/** The numbers of a constant; a shape rule that needs them cannot work on a computed tensor. */
export function constantValues(tensor: Tensor): number[] {
  if (tensor.source.kind !== "constant") throw new Error("Expected a constant, found a computed tensor");
  return Array.from(tensor.source.values, Number);
}

/** Nodes that `outputs` need, each after the nodes it takes from. */
export function nodesOf(outputs: readonly Tensor[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  const enter = (tensor: Tensor) => {
    if (tensor.source.kind !== "node" || seen.has(tensor.source)) return;
    seen.add(tensor.source);
    stack.push({ node: tensor.source, next: 0 });
  };
  for (const output of outputs) {
    enter(output);
    // An explicit stack: a deep network would overflow the call stack.
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const following = top.node.inputs[top.next++];
      if (following !== undefined) enter(following);
      else order.push(stack.pop()!.node);
    }
  }
  return order;
}

/**
 * In which order nodes are written, which decides how a runtime that goes back from the outputs takes turns: `first` as
 * they are met from the outputs; `depth` by how many nodes stand before them, so that what is next to the inputs, and
 * what is only cut out of them, comes when it is needed; `ends` the same, but what nobody takes comes as soon as it can.
 */
export type Order = "first" | "depth" | "ends";

/** The same nodes in that order. */
export function orderedNodes(outputs: readonly Tensor[], order: Order): Node[] {
  const nodes = nodesOf(outputs);
  if (order === "first") return nodes;
  const depths = new Map<unknown, number>();
  for (const node of nodes) {
    depths.set(
      node,
      1 + node.inputs.reduce((most, { source }) => Math.max(most, depths.get(source) ?? 0), 0),
    );
  }
  const sorted = nodes.sort((a, b) => depths.get(a)! - depths.get(b)!);
  if (order === "depth") return sorted;
  const taken = new Set<unknown>(nodes.flatMap(({ inputs }) => inputs.map(({ source }) => source)));
  // A runtime begins with the last of those that nobody takes.
  return [
    ...sorted.filter((node) => taken.has(node)),
    ...sorted.filter((node) => !taken.has(node)).reverse(),
  ];
}
