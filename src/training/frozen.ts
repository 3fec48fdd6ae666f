// Which products of a block nothing trains, how a block under construction is given them on eight-bit integers, and how
// their inputs are looked at first. A block is known only as what builds it through a hook.

import { type JointHook, outputsOf } from "../adapters/kind.ts";
import { apply, mul, reduceSum } from "../graph/build.ts";
import { input, int64s, scalar, type Tensor } from "../graph/tensor.ts";
import type { Parameter } from "../models/model.ts";
import { type FrozenGroup, type Given, int8Products } from "./int8.ts";
import { type StoredGroup, storedProduct } from "./stored.ts";

/** Gives the products of these groups, on eight-bit integers or of weights held in blocks; others stay as they are. */
export function jointProduct(frozen: readonly (FrozenGroup | StoredGroup)[]): JointHook {
  const groups = new Map(frozen.map((group) => [group.names.join(), group]));
  const inputs = new Map<string, Tensor>();
  const given: Given = (name, dtype, shape) => {
    const known = inputs.get(name) ?? input(name, dtype, shape);
    inputs.set(name, known);
    return known;
  };
  return (x, names) => {
    const group = groups.get(names.join());
    if (!group) return null;
    return "bits" in group
      ? [{ names, product: storedProduct(x, group, given) }]
      : int8Products(x, group, given);
  };
}

type Block = {
  readonly linears: readonly Parameter[];
  /** Trained arrays of the block, by their names within it. */
  readonly trained: readonly Parameter[];
  readonly build: (joint: JointHook) => void;
};

/** Linear layers of a block that nothing trains, as they share inputs. */
export function groupsOf({ linears, trained, build }: Block): FrozenGroup[] {
  const names = new Set(trained.map(({ name }) => name));
  const groups: FrozenGroup[] = [];
  build((x, together) => {
    const isFrozen = together.every((name) => !names.has(`${name}.weight`));
    const known = groups.some((group) => group.names.join() === together.join());
    const outs = outputsOf({ linears }, together);
    if (isFrozen && !known) groups.push({ names: together, outs, inner: x.shape[1]! });
    return null;
  });
  return groups;
}

/**
 * What the input channels of each group are like, in `seen` once a block was built with `joint`: `largest:INDEX` [inner],
 * the largest magnitudes, and `typical:INDEX` [inner], squares of the share that each has of its row's largest, summed
 * over rows.
 */
export function observing(groups: readonly FrozenGroup[]): {
  readonly joint: JointHook;
  readonly seen: Readonly<Record<string, Tensor>>;
} {
  const seen: Record<string, Tensor> = {};
  const joint: JointHook = (x, names) => {
    const index = groups.findIndex((group) => group.names.join() === names.join());
    if (index < 0) return null;
    const size = apply("Abs", [x]);
    const most = apply("ReduceMax", [size, int64s([1])], { keepdims: 1 });
    const share = apply("Div", [size, apply("Max", [most, scalar(1e-30)])]);
    seen[`largest:${index}`] = apply("ReduceMax", [size, int64s([0])], { keepdims: 0 });
    seen[`typical:${index}`] = reduceSum(mul(share, share), [0]);
    return null;
  };
  return { joint, seen };
}
