// Wide values of some parts of a block's rows that stay between its passes on eight bits: the products of these parts are
// not computed again then. Knows no layer.

import { asCodes, type Codes, fromCodes } from "../graph/codes.ts";
import { replaceTensors } from "../graph/rewrite.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Staying } from "../models/turns.ts";

type Made = Staying & {
  /** x of a part, remembered in its forward pass. */
  readonly stays: (x: Tensor) => Tensor;
  /** What the forward pass gives for it, once it is built. */
  readonly aside: readonly Tensor[];
};

/** Of the first `parts` parts what `stays` is asked for, in the order in which it is. */
export function createStaying(parts: number): Made {
  const held = new Map<number, Codes[]>();
  const aside: Tensor[] = [];
  let at: { readonly part: number; readonly pass: "forward" | "backward" } | null = null;
  let again: Tensor[] = [];
  return {
    aside,
    begins(part, pass) {
      at = part < parts ? { part, pass } : null;
      again = [];
    },
    stays(x) {
      if (at?.pass === "backward") again.push(x);
      if (at?.pass !== "forward") return x;
      const made = asCodes(x);
      held.set(at.part, [...(held.get(at.part) ?? []), made]);
      aside.push(made.codes, made.step);
      return x;
    },
    settled(gradients) {
      const known = (at && held.get(at.part)) ?? [];
      // A layer of a joined product is one output of several of a node.
      const values = again.map((x, i) => ({ x, value: fromCodes(known[i]!) }));
      const instead = ({ source, index }: Tensor) =>
        values.find(({ x }) => x.source === source && x.index === index)?.value;
      const named = Object.fromEntries(gradients.map((gradient, i) => [`${i}`, gradient]));
      return Object.values(replaceTensors(named, instead));
    },
  };
}
