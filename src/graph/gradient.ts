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
    const outputs = outputsOf(node, seeds);
    const dys = outputs.map((output) => known.get(identity(output)));
    const dy = dys.find((gradient) => gradient !== undefined);
    if (!dy) continue;
    const { inputs, attributes, pullback } = node;
    const given = pullback
      ? pullback.rule(dy)
      : ruleOf(node)({ inputs, outputs, attributes, dy, dys, apply });
    sourcesOf(node).forEach((from, i) => {
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
    if (!node.pullback && "stops" in ops.get(node.op)!.gradient) continue;
    if (sourcesOf(node).some((from) => reaches(from, onPath, wrt))) onPath.add(node);
  }
  return onPath;
}

/** What a node passes gradients to. */
function sourcesOf(node: Node): readonly Tensor[] {
  return node.pullback?.of ?? node.inputs;
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

/** The outputs of a node as tensors. */
function outputsOf(node: Node, seeds: readonly Seed[]): Tensor[] {
  const specs = ops.get(node.op)!.shape(node.inputs, node.attributes);
  return specs.map((spec, index) => {
    const seeded = seeds.find(({ output }) => output.source === node && output.index === index);
    return seeded?.output ?? { ...spec, source: node, index };
  });
}

function describe(tensor: Tensor): string {
  const { source } = tensor;
  const name = source.kind === "input" ? source.name : source.kind === "node" ? source.op : "a constant";
  return `${name} [${tensor.shape}]`;
}
