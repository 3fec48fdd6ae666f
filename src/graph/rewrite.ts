// Rewriting graphs: the same outputs with some tensors replaced, and a backward pass cut off from its forward pass. It
// knows the operators by name only.

import { asFloat, asHalf } from "./build.ts";
import { asCodes, fromCodes } from "./codes.ts";
import { input, type Node, nodesOf, type Tensor } from "./tensor.ts";

/** Outputs in which every tensor that `replacement` knows is that instead; nodes between are made anew. */
export function replaceTensors<K extends string>(
  outputs: Readonly<Record<K, Tensor>>,
  replacement: (tensor: Tensor) => Tensor | undefined,
): Record<K, Tensor> {
  const made = new Map<Node, Node>();
  const changed = (tensor: Tensor): Tensor => {
    const other = replacement(tensor);
    if (other) return other;
    const node = tensor.source.kind === "node" ? made.get(tensor.source) : undefined;
    return node ? { ...tensor, source: node } : tensor;
  };
  for (const node of nodesOf(Object.values(outputs))) {
    const inputs = node.inputs.map(changed);
    if (inputs.some((tensor, i) => tensor !== node.inputs[i])) made.set(node, { ...node, inputs });
  }
  const entries = Object.entries(outputs) as [K, Tensor][];
  return Object.fromEntries(entries.map(([name, tensor]) => [name, changed(tensor)])) as Record<K, Tensor>;
}

export type Cut<K extends string> = {
  /** The backward pass, which takes what is kept as inputs of these names. */
  readonly backward: Record<K, Tensor>;
  /** What the forward pass gives beside its own outputs. */
  readonly kept: Readonly<Record<string, Tensor>>;
};

/**
 * What is kept of a forward pass, what of that is long enough for 16 bits to save something, and which matrices go on eight
 * bits instead; nothing if not given.
 */
export type KeepRule = {
  readonly keeps: (tensor: Tensor, node: Node) => boolean;
  readonly halved?: (tensor: Tensor) => boolean;
  readonly rounded?: (tensor: Tensor) => boolean;
};

/**
 * Cuts a backward pass off from the forward pass that it is built on: the first tensors of the forward pass on the way
 * back that `keeps` says yes to become inputs, and what lies before the others is computed again. What is `halved` goes
 * from one to the other in 16 bits. `forward` is all that the forward pass computes, to the last.
 */
export function cutForward<K extends string>(
  backward: Readonly<Record<K, Tensor>>,
  forward: readonly Tensor[],
  { keeps, halved, rounded }: KeepRule,
): Cut<K> {
  const before = new Set(nodesOf(forward));
  const kept: Record<string, Tensor> = {};
  const inputs = new Map<Node, Map<number, Tensor>>();
  const seen = new Set<Node>();
  const visit = (tensor: Tensor): void => {
    const { source, index } = tensor;
    if (source.kind !== "node") return;
    if (before.has(source) && keeps(tensor, source)) {
      const known = inputs.get(source) ?? new Map<number, Tensor>();
      inputs.set(source, known);
      if (known.has(index)) return;
      const name = `kept:${Object.keys(kept).length}`;
      const give = (held: Tensor, as: string): Tensor => {
        kept[as] = held;
        return input(as, held.dtype, held.shape);
      };
      if (rounded?.(tensor)) {
        const { codes, step } = asCodes(tensor);
        known.set(index, fromCodes({ codes: give(codes, name), step: give(step, `${name}:step`) }));
      } else if (halved?.(tensor)) known.set(index, asFloat(give(asHalf(tensor), name)));
      else known.set(index, give(tensor, name));
    } else if (!seen.has(source)) {
      seen.add(source);
      for (const from of source.inputs) visit(from);
    }
  };
  for (const tensor of Object.values<Tensor>(backward)) visit(tensor);
  const replacement = ({ source, index }: Tensor) =>
    source.kind === "node" ? inputs.get(source)?.get(index) : undefined;
  return { backward: replaceTensors(backward, replacement), kept };
}
