// The programs of a network with an encoder and a decoder, forward and backward, as `stages.ts` has them for one chain:
// embedding of either side, what positions add to the scores, the memory between them. The head is that of `stages.ts`,
// blocks stand in `encoder-decoder-blocks.ts`.

import { adapterParameters, createParameters, embeddingStage, outerParameters } from "../adapters/hooks.ts";
import { chainsOf, type Layers } from "../adapters/kind.ts";
import { add, gather } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { simplify } from "../graph/simplify.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import type { EncoderDecoder, Masks, Shared } from "../models/encoder-decoder.ts";
import type { Parameter } from "../models/model.ts";
import { causalBias, paddingMask } from "../models/relative.ts";
import type { PairExtent } from "./encoder-decoder-batch.ts";
import type { FrozenGroup } from "./int8.ts";
import type { HeadSetup, Setup } from "./stages.ts";

/** What is trained of a network with an encoder and a decoder. */
export type PairSetup = Omit<Setup, "model" | "frozen"> & {
  readonly model: EncoderDecoder;
  /** Linear layers of each side's blocks that are computed on eight-bit integers. */
  readonly frozen?: Readonly<Record<Side, readonly FrozenGroup[]>>;
};

export const SIDES = ["encoder", "decoder"] as const;
export type Side = (typeof SIDES)[number];

type Made = ReadonlyMap<string, Tensor>;

/** A side's chain as adapters know it. */
export function layersOf({ model }: PairSetup, side: Side): Layers {
  return chainsOf(model)[SIDES.indexOf(side)]!;
}

/** The setup of the head's programs. */
export function headSetup({ model, frozen: _, ...rest }: PairSetup): HeadSetup {
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

/** As inputs of a program. */
export function asInputs(named: Readonly<Record<string, { readonly shape: readonly number[] }>>): Shared {
  return Object.fromEntries(
    Object.entries(named).map(([name, { shape }]) => [name, input(name, "float32", shape)]),
  );
}

/** The name of a mask that is a part of what positions add, so that no block need add it. */
export function foldedMask(side: Side, { batch }: PairExtent): string | null {
  // Of several sequences it would repeat what positions add for each of them.
  return side === "encoder" && batch === 1 ? "mask" : null;
}

function hiding(setup: PairSetup, side: Side, extent: PairExtent): Tensor | null {
  if (side === "decoder") return causalBias(extent.answer);
  const name = foldedMask(side, extent);
  return name === null ? null : asInputs(sideMasks(setup, side, { lengths: [], extent }))[name]!;
}

/** What positions add to the scores of a side's blocks, what must not be seen among it, and the tables that it is of. */
export function buildPositions(setup: PairSetup, side: Side, extent: PairExtent) {
  const { positionParameters, positions } = setup.model[side];
  const { parameter, made } = createParameters(positionParameters);
  const shared = positions({ parameter }, lengthOf(extent, side));
  const hidden = hiding(setup, side, extent);
  return { shared: hidden ? { ...shared, bias: add(shared.bias!, hidden) } : shared, made };
}

/** Tables of positions to what they add to the scores of all blocks of a side, by name. */
export function positionsForward(setup: PairSetup, side: Side, extent: PairExtent): Program {
  return writeProgram(`${side}_positions`, buildPositions(setup, side, extent).shared);
}

/** The gradients `d:NAME` of what they add to the gradients of the tables. */
export function positionsBackward(setup: PairSetup, side: Side, extent: PairExtent): Program {
  const { shared, made } = buildPositions(setup, side, extent);
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
