// The programs of a network with an encoder and a decoder, forward and backward, as `stages.ts` has them for one chain:
// embedding of either side, what positions add to the scores, blocks of either side, the memory between them. The head
// is that of `stages.ts`.

import {
  adapterParameters,
  blockHooks,
  createParameters,
  embeddingStage,
  outerParameters,
} from "../adapters/hooks.ts";
import { chainsOf, type Layers } from "../adapters/kind.ts";
import { gather, mul } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { simplify } from "../graph/simplify.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import type { EncoderDecoder, Masks, Shared } from "../models/encoder-decoder.ts";
import type { Parameter } from "../models/model.ts";
import { biasedAttention, causalBias, paddingMask } from "../models/relative.ts";
import type { PairExtent } from "./encoder-decoder-batch.ts";
import type { HeadSetup, Setup } from "./stages.ts";

/** What is trained of a network with an encoder and a decoder. */
export type PairSetup = Omit<Setup, "model"> & { readonly model: EncoderDecoder };

export const SIDES = ["encoder", "decoder"] as const;
export type Side = (typeof SIDES)[number];

type Made = ReadonlyMap<string, Tensor>;

/** A side's chain as adapters know it. */
export function layersOf({ model }: PairSetup, side: Side): Layers {
  return chainsOf(model)[SIDES.indexOf(side)]!;
}

/** The setup of the head's programs. */
export function headSetup({ model, ...rest }: PairSetup): HeadSetup {
  const { headParameters, head } = model;
  return { ...rest, model: { ...layersOf({ model, ...rest }, "decoder"), headParameters, head } };
}

/** Padded length of a side. */
export function lengthOf(extent: PairExtent, side: Side): number {
  return side === "encoder" ? extent.source : extent.answer;
}

/** Trained arrays of a block, by their names within it. */
export function trainedIn(setup: PairSetup, side: Side, layer: number): readonly Parameter[] {
  if (setup.trainable === "all") return setup.model[side].blockParameters;
  return setup.trainable === "adapter" ? adapterParameters(layersOf(setup, side), setup.adapter, layer) : [];
}

/** Trained arrays outside the blocks among `weights`, and among the adapter's that a stage has `made`. */
function trainedOutside(setup: PairSetup, weights: readonly Parameter[], made: Made): readonly Parameter[] {
  if (setup.trainable === "all") return weights;
  if (setup.trainable === "none") return [];
  return outerParameters(layersOf(setup, "encoder"), setup.adapter).filter(({ name }) => made.has(name));
}

/** A program that gives gradients: each by the name of its output, of a tensor. */
function backwardProgram(
  name: string,
  seeds: Parameters<typeof gradients>[0],
  wrt: readonly (readonly [name: string, tensor: Tensor])[],
): Program {
  const given = gradients(
    seeds,
    wrt.map(([, tensor]) => tensor),
  );
  return writeProgram(name, simplify(Object.fromEntries(wrt.map(([output], i) => [output, given[i]!]))));
}

const seedOf = (y: Tensor) => ({ output: y, gradient: input("dy", "float32", y.shape) });

function ofTrained(trained: readonly Parameter[], made: Made): (readonly [string, Tensor])[] {
  return trained.map(({ name }) => [`d:${name}`, made.get(name)!] as const);
}

/** The invertible adapter is the encoder's alone. */
function buildEmbedding(setup: PairSetup, side: Side, rows: number) {
  const { embeddingParameter } = setup.model;
  const ids = input("ids", "int64", [rows]);
  const { parameter, made: plain } = createParameters([embeddingParameter]);
  const { y, made } =
    side === "encoder"
      ? embeddingStage(layersOf(setup, side), setup.adapter, ids)
      : { y: gather(parameter(embeddingParameter.name), ids), made: plain };
  return { y, made, trained: trainedOutside(setup, [embeddingParameter], made) };
}

/** Ids int64 [n] to hidden states y [n, hidden_size]. */
export function embeddingForward(setup: PairSetup, side: Side, rows: number): Program {
  return writeProgram(`${side}_embedding`, { y: buildEmbedding(setup, side, rows).y });
}

/** Whether anything is trained before a side's first block. */
export function trainsEmbedding(setup: PairSetup, side: Side): boolean {
  return buildEmbedding(setup, side, 1).trained.length > 0;
}

/** Ids and dy to the gradient of what is trained before a side's first block. */
export function embeddingBackward(setup: PairSetup, side: Side, rows: number): Program {
  const { y, made, trained } = buildEmbedding(setup, side, rows);
  return backwardProgram(`${side}_embedding_backward`, [seedOf(y)], ofTrained(trained, made));
}

function buildPositions({ model }: PairSetup, side: Side, length: number) {
  const { positionParameters, positions } = model[side];
  const { parameter, made } = createParameters(positionParameters);
  return { shared: positions({ parameter }, length), made };
}

/** Tables of positions to what they add to the scores of all blocks of a side, by name. */
export function positionsForward(setup: PairSetup, side: Side, length: number): Program {
  return writeProgram(`${side}_positions`, buildPositions(setup, side, length).shared);
}

/** The gradients `d:NAME` of what they add to the gradients of the tables. */
export function positionsBackward(setup: PairSetup, side: Side, length: number): Program {
  const { shared, made } = buildPositions(setup, side, length);
  const seeds = Object.entries(shared).map(([name, output]) => ({
    output,
    gradient: input(`d:${name}`, "float32", output.shape),
  }));
  return backwardProgram(
    `${side}_positions_backward`,
    seeds,
    ofTrained(setup.model[side].positionParameters, made),
  );
}

/** A block of a side, and whether its adapter's inputs are masked. */
export type SidePlace = { readonly side: Side; readonly layer: number; readonly drops: boolean };

/** What the blocks of a side must know of the lengths of sources. */
export function sideMasks(
  { model }: PairSetup,
  side: Side,
  { lengths, extent }: { lengths: readonly number[]; extent: PairExtent },
): Masks {
  const padded = { batch: extent.batch, length: extent.source };
  return side === "encoder"
    ? model.encoder.masks(lengths, padded)
    : { memory_mask: paddingMask(lengths, padded) };
}

function asInputs(named: Readonly<Record<string, { readonly shape: readonly number[] }>>): Shared {
  return Object.fromEntries(
    Object.entries(named).map(([name, { shape }]) => [name, input(name, "float32", shape)]),
  );
}

function buildBlock(setup: PairSetup, extent: PairExtent, { side, layer, drops }: SidePlace) {
  const { model, adapter } = setup;
  const { batch, source, answer } = extent;
  const masked: Parameter[] = [];
  const dropout = (x: Tensor, name: string) => {
    // LongT5 puts two inputs through one layer: each has its mask.
    const mask = { name: `mask:${masked.length}:${name}`, shape: x.shape };
    masked.push(mask);
    return mul(x, input(mask.name, "float32", mask.shape));
  };
  const hooks = blockHooks(layersOf(setup, side), adapter, drops ? { layer, dropout } : { layer });
  const positions = asInputs(buildPositions(setup, side, lengthOf(extent, side)).shared);
  const masks = asInputs(sideMasks(setup, side, { lengths: [], extent }));
  const memory = input("memory", "float32", [batch * source, model.hidden_size]);
  const x = input("x", "float32", [batch * lengthOf(extent, side), model.hidden_size]);
  const encode = () => {
    const padded = { batch, length: source };
    return model.encoder.block({ ...hooks, padded, shared: { ...positions, ...masks } }, x);
  };
  const decode = () => {
    const own = { batch, queries: answer, keys: answer };
    const attend = biasedAttention(model.attention, own, [positions.bias!, causalBias(answer)]);
    const across = biasedAttention(model.attention, { ...own, keys: source }, [masks.memory_mask!]);
    return model.decoder.block(
      { ...hooks, attend, attendMemory: (q, project) => across(q, ...project(memory)) },
      x,
    );
  };
  return { x, y: side === "encoder" ? encode() : decode(), made: hooks.made, masked, positions, memory };
}

/** The masks that a block's programs take, each 0 or 1 / (1 - rate). */
export function blockMasks(setup: PairSetup, extent: PairExtent, place: SidePlace): readonly Parameter[] {
  return place.drops ? buildBlock(setup, extent, place).masked : [];
}

/** x [n, hidden_size] and what the blocks share to y, for the layer of that number and all of its variant. */
export function blockForward(setup: PairSetup, extent: PairExtent, place: SidePlace): Program {
  return writeProgram(`${place.side}_block`, simplify({ y: buildBlock(setup, extent, place).y }));
}

/**
 * x, dy and what the blocks share to dx, the gradient of every trained array, of a decoder's block `dmemory` where the
 * encoder is trained, and in full training `dshared:NAME` of what positions add.
 */
export function blockBackward(setup: PairSetup, extent: PairExtent, place: SidePlace): Program {
  const { x, y, made, positions, memory } = buildBlock(setup, extent, place);
  const hasMemory = place.side === "decoder" && trainsEncoder(setup);
  const shared = setup.trainable === "all" ? Object.entries(positions) : [];
  return backwardProgram(
    `${place.side}_block_backward`,
    [seedOf(y)],
    [
      ["dx", x],
      ...(hasMemory ? [["dmemory", memory] as const] : []),
      ...shared.map(([name, tensor]) => [`dshared:${name}`, tensor] as const),
      ...ofTrained(trainedIn(setup, place.side, place.layer), made),
    ],
  );
}

function buildMemory(setup: PairSetup, rows: number) {
  const { memoryParameters, memory, hidden_size } = setup.model;
  const { parameter, made } = createParameters(memoryParameters);
  const x = input("x", "float32", [rows, hidden_size]);
  return { x, y: memory({ parameter }, x), made, trained: trainedOutside(setup, memoryParameters, made) };
}

/** The encoder's last hidden states x to what the decoder sees of them, y. */
export function memoryForward(setup: PairSetup, rows: number): Program {
  return writeProgram("memory", { y: buildMemory(setup, rows).y });
}

/** x and dy to dx and the gradient of what is trained there. */
export function memoryBackward(setup: PairSetup, rows: number): Program {
  const { x, y, made, trained } = buildMemory(setup, rows);
  return backwardProgram("memory_backward", [seedOf(y)], [["dx", x], ...ofTrained(trained, made)]);
}

/** Whether anything up to the memory is trained. */
export function trainsEncoder(setup: PairSetup): boolean {
  const layers = [...Array(setup.model.encoder.num_hidden_layers).keys()];
  return (
    trainsEmbedding(setup, "encoder") ||
    buildMemory(setup, 1).trained.length > 0 ||
    layers.some((layer) => trainedIn(setup, "encoder", layer).length > 0)
  );
}
