// Fewer and larger nodes for the same values: what is computed twice is computed once, narrow products added to one
// matrix become one product. Orders of sums change, values but by rounding do not. What else was tried stands in
// docs/performance.md.

import { add, apply, concat, scaled } from "./build.ts";
import { checkNode } from "./check.ts";
import { type Attributes, type Node, nodesOf, type Tensor } from "./tensor.ts";

/** Narrow products are joined as long as their inner extents stay together under this. */
const NARROW = 128;

/** The same outputs with fewer nodes. */
export function simplify<K extends string>(outputs: Readonly<Record<K, Tensor>>): Record<K, Tensor> {
  const graph = new Rewriting(Object.values<Tensor>(outputs));
  const entries = Object.entries(outputs) as [K, Tensor][];
  const simple = Object.fromEntries(entries.map(([name, tensor]) => [name, graph.rewritten(tensor)]));
  return sumsApart(simple) as Record<K, Tensor>;
}

/**
 * A whole matrix that was to ride in a product as its addend is added to it afterwards: the kernel of `Gemm` first
 * copies it to its output in one thread, which takes as long as a narrow product itself.
 */
function sumsApart(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const made = new Map<Node, readonly Tensor[]>();
  const changed = (tensor: Tensor): Tensor =>
    (tensor.source.kind === "node" ? made.get(tensor.source)?.[tensor.index] : undefined) ?? tensor;
  for (const node of nodesOf(Object.values(outputs))) {
    const inputs = node.inputs.map(changed);
    const addend = inputs[2];
    const product = { ...node, inputs: inputs.slice(0, 2) };
    const whole = addend !== undefined && node.op === "Gemm" && isWhole(addend, node);
    made.set(node, whole ? [add(addend, outputsOf(product)[0]!)] : outputsOf({ ...node, inputs }));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, changed(tensor)]));
}

/** Whether an addend has every value of the sum. */
function isWhole(addend: Tensor, node: Node): boolean {
  const [sum] = outputsOf(node);
  return isPlain(node.attributes) && addend.shape.join() === sum!.shape.join();
}

class Rewriting {
  readonly #made = new Map<Node, readonly Tensor[]>();
  /** How often each node of the given graph is used, outputs counted. */
  readonly #uses = new Map<Node, number>();
  /** Uses of nodes that stand for one of the given graph. */
  readonly #usesOfMade = new Map<Node, number>();
  readonly #known = new Map<string, readonly Tensor[]>();
  readonly #ids = new Map<object, number>();

  constructor(outputs: readonly Tensor[]) {
    const nodes = nodesOf(outputs);
    for (const { source } of [...nodes.flatMap((node) => node.inputs), ...outputs]) {
      if (source.kind === "node") this.#uses.set(source, (this.#uses.get(source) ?? 0) + 1);
    }
    for (const node of nodes) this.#rewrite(node);
  }

  rewritten(tensor: Tensor): Tensor {
    const made = tensor.source.kind === "node" ? this.#made.get(tensor.source) : undefined;
    return made?.[tensor.index] ?? tensor;
  }

  #rewrite(node: Node): void {
    const inputs = node.inputs.map((tensor) => this.rewritten(tensor));
    const key = this.#keyOf(node, inputs);
    const known = this.#known.get(key);
    const uses = this.#uses.get(node) ?? 0;
    if (node.op === "Identity") {
      // It only says what flows back, and that is settled by now.
      this.#made.set(node, inputs);
      this.#count(inputs[0]!, uses - 1);
      return;
    }
    if (known) {
      this.#made.set(node, known);
      this.#count(known[0]!, uses);
      return;
    }
    const better = this.#better({ ...node, inputs });
    const made = better ? [better] : outputsOf({ ...node, inputs });
    this.#made.set(node, made);
    this.#known.set(key, made);
    this.#count(made[0]!, uses);
  }

  #count({ source }: Tensor, uses: number): void {
    if (source.kind === "node") this.#usesOfMade.set(source, (this.#usesOfMade.get(source) ?? 0) + uses);
  }

  /** A node that does the work of this one and of one before it that only this one needs. */
  #better(node: Node): Tensor | undefined {
    if (node.op === "Add") return this.#sumInProduct(node.inputs as [Tensor, Tensor]);
    return node.op === "Gemm" ? this.#oneProduct(node) : undefined;
  }

  /** x + a·b as one product with an addend, so that products of one sum meet; what is left of them is taken apart again. */
  #sumInProduct([a, b]: [Tensor, Tensor]): Tensor | undefined {
    if (a.shape.join() !== b.shape.join()) return undefined;
    for (const [product, addend] of [
      [b, a],
      [a, b],
    ] as const) {
      const node = this.#onlyHere(product, "Gemm");
      if (node?.inputs.length === 2) {
        const sum = apply("Gemm", [...node.inputs, addend], node.attributes);
        return this.#oneProduct(sum.source as Node) ?? sum;
      }
    }
    return undefined;
  }

  /** a·bᵀ + (c·dᵀ + e) as [a c]·[b d]ᵀ + e, where both are narrow. */
  #oneProduct({ inputs, attributes }: Node): Tensor | undefined {
    const [a, b, addend] = inputs as [Tensor, Tensor, Tensor?];
    const other = addend && this.#onlyHere(addend, "Gemm");
    if (!other || !isPlain(attributes) || !isPlain(other.attributes) || other.inputs.length !== 3)
      return undefined;
    const [c, d, rest] = other.inputs as [Tensor, Tensor, Tensor];
    if (attributes.transB !== other.attributes.transB || a.shape[1]! + c.shape[1]! > NARROW) return undefined;
    const left = concat([weighed(a, attributes), weighed(c, other.attributes)], 1);
    return apply("Gemm", [left, concat([b, d], attributes.transB ? 1 : 0), rest], {
      transB: attributes.transB ?? 0,
    });
  }

  #onlyHere({ source }: Tensor, op: string): Node | undefined {
    if (source.kind !== "node" || source.op !== op) return undefined;
    return this.#usesOfMade.get(source) === 1 ? source : undefined;
  }

  #keyOf({ op, attributes, pullback }: Node, inputs: readonly Tensor[]): string {
    const from = inputs.map(({ source, index, dtype, shape }) =>
      source.kind === "constant" && source.values.length <= 8
        ? `${dtype}[${shape}]=${[...source.values]}`
        : `${this.#idOf(source)}:${index}`,
    );
    // What is to flow back belongs to one node alone.
    const own = pullback ? this.#idOf(pullback) : "";
    return JSON.stringify([op, Object.entries(attributes).sort(), from, own]);
  }

  #idOf(source: object): number {
    const id = this.#ids.get(source) ?? this.#ids.size;
    this.#ids.set(source, id);
    return id;
  }
}

/** All outputs of a node. */
function outputsOf(node: Node): Tensor[] {
  return checkNode(node).map((spec, index) => ({ ...spec, source: node, index }));
}

function isPlain({ transA = 0, beta = 1 }: Attributes): boolean {
  return transA === 0 && beta === 1;
}

function weighed(x: Tensor, { alpha = 1 }: Attributes): Tensor {
  return alpha === 1 ? x : scaled(x, alpha as number);
}
