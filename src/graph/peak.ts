// Memory that a graph needs while it runs: what is alive at a time, in the order in which onnxruntime runs nodes
// (onnxruntime:onnxruntime/core/graph/graph.cc, ReverseDFSFrom; graph_viewer.cc). What a runtime rounds up or holds longer
// comes on top.

import { bytesPerElement, sizeOf } from "../base/dtype.ts";
import { ops } from "./ops/table.ts";
import { type Node, type Order, orderedNodes, type Tensor } from "./tensor.ts";

/** Operators whose result is their input's memory. */
const SAME = new Set(["Reshape", "Identity"]);

/** Most bytes that are alive at a time between inputs and outputs, which are the caller's. */
export function peakBytes(outputs: Readonly<Record<string, Tensor>>, written: Order = "first"): number {
  const order = runOrder(Object.values(outputs), written);
  const places = new Map(order.map((node, at) => [node, at]));
  const keyOf = (tensor: Tensor): string | null => {
    const { source, index } = tensor;
    if (source.kind !== "node") return null;
    return SAME.has(source.op) ? keyOf(source.inputs[0]!) : `${places.get(source)}:${index}`;
  };
  const given = new Set(Object.values(outputs).map(keyOf));
  const last = new Map<string | null, number>();
  order.forEach(({ inputs }, at) => {
    for (const from of inputs) last.set(keyOf(from), at);
  });
  const freed = new Map<number, number>();
  let alive = 0;
  let peak = 0;
  order.forEach((node, at) => {
    for (const [index, { dtype, shape }] of specsOf(node).entries()) {
      const key = `${at}:${index}`;
      if (given.has(key)) continue;
      const bytes = sizeOf(shape) * bytesPerElement[dtype];
      const end = last.get(key) ?? at;
      alive += bytes;
      freed.set(end, (freed.get(end) ?? 0) + bytes);
    }
    peak = Math.max(peak, alive);
    alive -= freed.get(at) ?? 0;
  });
  return peak;
}

function specsOf({ op, inputs, attributes }: Node) {
  return SAME.has(op) ? [] : ops.get(op)!.shape(inputs, attributes);
}

/** From what nobody takes backwards, later nodes first. */
function runOrder(outputs: readonly Tensor[], written: Order): Node[] {
  const nodes = orderedNodes(outputs, written);
  const places = new Map(nodes.map((node, at) => [node, at]));
  const before = (node: Node) =>
    node.inputs.flatMap(({ source }) => (source.kind === "node" ? [source] : []));
  const taken = new Set(nodes.flatMap(before));
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack = nodes.filter((node) => !taken.has(node)).map((node) => ({ node, done: false }));
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { node, done } = top;
    if (done) order.push(node);
    else if (!seen.has(node)) {
      seen.add(node);
      stack.push({ node, done: true });
      const inputs = before(node).sort((a, b) => places.get(a)! - places.get(b)!);
      stack.push(...inputs.filter((from) => !seen.has(from)).map((from) => ({ node: from, done: false })));
    }
  }
  return order;
}
