// The programs of blocks of a network with an encoder and a decoder, as `stages.ts` has them for one chain: forward,
// backward, and what goes from one to the other. One program serves all layers of a side that an adapter treats alike.

import { blockHooks } from "../adapters/hooks.ts";
import type { JointHook } from "../adapters/kind.ts";
import { sizeOf } from "../base/dtype.ts";
import { add, mul } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { cutForward } from "../graph/rewrite.ts";
import { simplify } from "../graph/simplify.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import type { Parameter } from "../models/model.ts";
import { biasedAttention } from "../models/relative.ts";
import type { PairExtent } from "./encoder-decoder-batch.ts";
import {
  asInputs,
  buildPositions,
  foldedMask,
  layersOf,
  lengthOf,
  type PairSetup,
  type Side,
  sideMasks,
  trainedIn,
  trainsEncoder,
} from "./encoder-decoder-stages.ts";
import { groupsOf, jointProduct, observing } from "./frozen.ts";
import type { FrozenGroup } from "./int8.ts";
import { type Keeping, keepRule } from "./kept.ts";

/** A block of a side, whether its adapter's inputs are masked, and what its forward pass keeps. */
export type SidePlace = {
  readonly side: Side;
  readonly layer: number;
  readonly drops: boolean;
  readonly keeping: Keeping;
};

type Place = SidePlace & { readonly joint?: JointHook };

function buildBlock(setup: PairSetup, extent: PairExtent, place: Place) {
  const { model, adapter, frozen } = setup;
  const { side, layer, drops, joint = jointProduct(frozen?.[side] ?? []) } = place;
  const { batch, source, answer } = extent;
  const masked: Parameter[] = [];
  const dropout = (x: Tensor, name: string) => {
    // LongT5 puts two inputs through one layer: each has its mask.
    const mask = { name: `mask:${masked.length}:${name}`, shape: x.shape };
    masked.push(mask);
    return mul(x, input(mask.name, "float32", mask.shape));
  };
  const of = drops ? { layer, joint, dropout } : { layer, joint };
  const hooks = blockHooks(layersOf(setup, side), adapter, of);
  const positions = asInputs(buildPositions(setup, side, extent).shared);
  const folded = foldedMask(side, extent);
  const masks = Object.entries(asInputs(sideMasks(setup, side, { lengths: [], extent })));
  const memory = input("memory", "float32", [batch * source, model.hidden_size]);
  const x = input("x", "float32", [batch * lengthOf(extent, side), model.hidden_size]);
  const encode = () => {
    const padded = { batch, length: source };
    const needed = masks.filter(([name]) => name !== folded);
    const shared = { ...positions, ...Object.fromEntries(needed) };
    return model.encoder.block({ ...hooks, padded, shared }, x);
  };
  const decode = () => {
    const own = { batch, queries: answer, keys: answer };
    const attend = biasedAttention(model.attention, own, [positions.bias!]);
    const across = biasedAttention(
      model.attention,
      { ...own, keys: source },
      masks.map(([, mask]) => mask),
    );
    return model.decoder.block(
      { ...hooks, attend, attendMemory: (q, project) => across(q, ...project(memory)) },
      x,
    );
  };
  return { x, y: side === "encoder" ? encode() : decode(), made: hooks.made, masked, positions, memory };
}

const SMALL: PairExtent = { batch: 1, source: 1, answer: 1 };

function first(side: Side): SidePlace {
  return { side, layer: 0, drops: false, keeping: "nothing" };
}

/** Linear layers of a side's blocks that nothing trains, as they share inputs. */
export function frozenGroups(setup: PairSetup, side: Side): FrozenGroup[] {
  if (setup.trainable === "all") return [];
  const build = (joint: JointHook) => void buildBlock(setup, SMALL, { ...first(side), joint });
  return groupsOf({ linears: setup.model[side].linears, trained: trainedIn(setup, side, 0), build });
}

/** Base arrays of a side's blocks that their programs take as they are. */
export function plainParameters(setup: PairSetup, side: Side): string[] {
  const { made } = buildBlock(setup, SMALL, first(side));
  return setup.model[side].blockParameters.map(({ name }) => name).filter((name) => made.has(name));
}

/** x to y, and what the input channels of each group are like (`observing`). */
export function blockObserved(setup: PairSetup, extent: PairExtent, side: Side): Program {
  const { joint, seen } = observing(frozenGroups(setup, side));
  const { y } = buildBlock(setup, extent, { ...first(side), joint });
  return writeProgram(`${side}_block_observed`, { y, ...seen });
}

/** The masks that a block's programs take, each 0 or 1 / (1 - rate). */
export function blockMasks(setup: PairSetup, extent: PairExtent, place: SidePlace): readonly Parameter[] {
  return place.drops ? buildBlock(setup, extent, place).masked : [];
}

/** Both passes of a block, cut where what is kept goes from one to the other. */
function buildPasses(setup: PairSetup, extent: PairExtent, place: SidePlace) {
  const { x, y, made, positions, memory } = buildBlock(setup, extent, place);
  const hasMemory = place.side === "decoder" && trainsEncoder(setup);
  const shared = setup.trainable === "all" ? Object.entries(positions) : [];
  const wanted: readonly (readonly [output: string, tensor: Tensor])[] = [
    ["dx", x],
    ...(hasMemory ? [["dmemory", memory] as const] : []),
    ...shared.map(([name, tensor]) => [`dshared:${name}`, tensor] as const),
    ...trainedIn(setup, place.side, place.layer).map(({ name }) => [`d:${name}`, made.get(name)!] as const),
  ];
  const seed = { output: y, gradient: input("dy", "float32", y.shape) };
  const given = gradients(
    [seed],
    wanted.map(([, tensor]) => tensor),
  );
  const outputs = Object.fromEntries(wanted.map(([output], i) => [output, given[i]!]));
  if (hasMemory) outputs.dmemory = add(outputs.dmemory!, input("dmemory_after", "float32", memory.shape));
  return { y, ...cutForward(outputs, [y], keepRule(place.keeping, sizeOf(x.shape))) };
}

/** x [n, hidden_size] and what the blocks share to y and what is kept, for the layer of that number and its variant. */
export function blockForward(setup: PairSetup, extent: PairExtent, place: SidePlace): Program {
  const name = `${place.side}_block`;
  if (place.keeping === "nothing")
    return writeProgram(name, simplify({ y: buildBlock(setup, extent, place).y }));
  const { y, kept } = buildPasses(setup, extent, place);
  return writeProgram(name, simplify({ y, ...kept }));
}

/** What is kept of a block: shapes by the names under which its programs give and take it. */
export function blockKept(setup: PairSetup, extent: PairExtent, place: SidePlace): readonly Parameter[] {
  if (place.keeping === "nothing") return [];
  return Object.entries(buildPasses(setup, extent, place).kept).map(([name, { shape }]) => ({ name, shape }));
}

/**
 * x, what is kept, dy and what the blocks share to dx, the gradient of every trained array, and in full training
 * `dshared:NAME` of what positions add. Where the encoder is trained a decoder's block takes `dmemory_after`, the sum
 * of the memory's gradient over the blocks after it, and gives the sum with its own, `dmemory`.
 */
export function blockBackward(setup: PairSetup, extent: PairExtent, place: SidePlace): Program {
  const { backward } = buildPasses(setup, extent, place);
  return writeProgram(`${place.side}_block_backward`, simplify(backward));
}
