// Reverse-mode differentiation: from an output's gradient back to the tensors asked for, by the rules of the op
// table. The result is more graph; nothing is computed here.

import { add, apply } from "./build.ts";
import { ops } from "./ops/table.ts";
import { type Node, nodesOf, type Tensor } from "./tensor.ts";

/** A tensor whose gradient is known at the start, and that gradient. */
export type Seed = { readonly output: Tensor; readonly gradient: Tensor };

/** Gradients of `wrt`, in order, given those of some outputs. Throws when an output does not depend on a tensor. */
export function gradients(seeds: readonly Seed[], wrt: readonly Tensor[]): Tensor[] {
  const nodes = nodesOf(seeds.map((seed) => seed.output));
  const onPath = pathTo(nodes, wrt);
  const known = new Map<string, Tensor>();
  const identity = createIdentity();
  const addTo = (tensor: Tensor, gradient: Tensor) => {
    const before = known.get(identity(tensor));
    known.set(identity(tensor), before ? add(before, gradient) : gradient);
  };
  for (const seed of seeds) addTo(seed.output, seed.gradient);
  for (const node of nodes.reverse()) {
    if (!onPath.has(node)) continue;
    const y = outputOf(node, seeds);
    const dy = known.get(identity(y));
    if (!dy) continue;
    const given = ruleOf(node)({ inputs: node.inputs, outputs: [y], attributes: node.attributes, dy, apply });
    node.inputs.forEach((from, i) => {
      const gradient = given[i];
      if (gradient && reaches(from, onPath, wrt)) addTo(from, gradient);
    });
  }
  return wrt.map((tensor) => {
    const gradient = known.get(identity(tensor));
    if (!gradient) throw new Error(`Expected an output that depends on ${describe(tensor)}, found none`);
    return gradient;
  });
}

/** Two tensor objects are the same value when they come from one source and are the same output of it. */
function createIdentity(): (tensor: Tensor) => string {
  const ids = new Map<object, number>();
  return (tensor) => {
    let id = ids.get(tensor.source);
    if (id === undefined) {
      id = ids.size;
      ids.set(tensor.source, id);
    }
    return `${id}:${tensor.index}`;
  };
}

/** Nodes through which something of `wrt` reaches an output. */
function pathTo(nodes: readonly Node[], wrt: readonly Tensor[]): Set<Node> {
  const onPath = new Set<Node>();
  for (const node of nodes) {
    if ("stops" in ops.get(node.op)!.gradient) continue;
    if (node.inputs.some((from) => reaches(from, onPath, wrt))) onPath.add(node);
  }
  return onPath;
}

function reaches(tensor: Tensor, onPath: ReadonlySet<Node>, wrt: readonly Tensor[]): boolean {
  if (wrt.some((wanted) => wanted.source === tensor.source && wanted.index === tensor.index)) return true;
  return tensor.source.kind === "node" && onPath.has(tensor.source);
}

function ruleOf(node: Node) {
  const { gradient } = ops.get(node.op)!;
  if ("none" in gradient)
    throw new Error(`Expected an operator with a gradient, found ${node.op}: ${gradient.none}`);
  if ("stops" in gradient) throw new Error(`${node.op} is on no path: ${gradient.stops}`);
  return gradient;
}

/** The first output of a node as a tensor; only first outputs are differentiable. */
function outputOf(node: Node, seeds: readonly Seed[]): Tensor {
  const seeded = seeds.find((seed) => seed.output.source === node);
  if (seeded) return seeded.output;
  const spec = ops.get(node.op)!.shape(node.inputs, node.attributes)[0]!;
  return { ...spec, source: node, index: 0 };
}

function describe(tensor: Tensor): string {
  const { source } = tensor;
  const name = source.kind === "input" ? source.name : source.kind === "node" ? source.op : "a constant";
  return `${name} [${tensor.shape}]`;
}
