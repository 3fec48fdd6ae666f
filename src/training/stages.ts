// The programs of one network: embedding, block and head, forward and backward. A backward program takes the stage's
// input and what its forward program kept, and computes the rest again. One block program serves every layer: weights
// are inputs, named by their place within the block.

import type { AdapterConfig } from "../adapters/adapter.ts";
import {
  adapterParameters,
  blockHooks,
  embeddingStage,
  type HeadLayers,
  headStage,
  outerParameters,
} from "../adapters/hooks.ts";
import type { JointHook } from "../adapters/kind.ts";
import { bytesPerElement, type DType, sizeOf } from "../base/dtype.ts";
import { add, apply, asFloat, asHalf, gather, logSoftmax, mul, neg, reshape } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { writeProgram } from "../graph/onnx.ts";
import { peakBytes } from "../graph/peak.ts";
import type { Program } from "../graph/program.ts";
import { cutForward, replaceTensors } from "../graph/rewrite.ts";
import { simplify } from "../graph/simplify.ts";
import { constant, input, int64s, type Order, scalar, type Tensor } from "../graph/tensor.ts";
import { causalAttention, type Extent } from "../models/attention.ts";
import { LONG } from "../models/block-attention.ts";
import type { Model, Parameter } from "../models/model.ts";
import { inRowParts, type Staying } from "../models/turns.ts";
import { groupsOf, jointProduct, observing } from "./frozen.ts";
import type { FrozenGroup } from "./int8.ts";
import { type Bits, type Keeping, keepRule } from "./kept.ts";
import { createStaying } from "./staying.ts";
import type { StoredGroup } from "./stored.ts";

/** What is trained: an adapter's arrays over frozen weights, every weight, or nothing. */
export type Setup = Bits & {
  readonly model: Model;
  readonly adapter: AdapterConfig | null;
  readonly trainable: "adapter" | "all" | "none";
  /** Linear layers of a block that are computed on eight-bit integers, or whose weights are held in blocks. */
  readonly frozen?: readonly (FrozenGroup | StoredGroup)[];
  /** Whether rounded weights are held once and turned for the way back, instead of once for each direction. */
  readonly once?: boolean;
  /** Share of each target that is spread over the vocabulary; none when not given. */
  readonly label_smoothing?: number;
  /** How frozen matrices of the vocabulary are held, f32 when not given. */
  readonly vocabulary?: VocabularyForm;
  /** Steps of a long sequence's scores on eight-bit integers; f32 when not given. */
  readonly steps?: number;
};

/** f16 holds exactly what a file has as f16, and of bf16 what lies between 2^-14 and 65,504. */
export type VocabularyForm = "f32" | "f16";

/** The type under which programs take such a matrix; one that is trained is f32. */
export function matrixType({ model, adapter, vocabulary }: Setup, name: string): DType {
  const isTrained = outerParameters(model, adapter).some((trained) => trained.name === name);
  return vocabulary === "f16" && !isTrained ? "float16" : "float32";
}

/** The same of what a head needs of its model, which may be of another kind. */
export type HeadSetup = Omit<Setup, "model"> & { readonly model: HeadLayers };

type Part = readonly Parameter[];
type Made = ReadonlyMap<string, Tensor>;

/** Trained arrays of a block, by their names within it. */
function trainedIn({ model, adapter, trainable }: Setup, layer: number): Part {
  if (trainable === "adapter") return adapterParameters(model, adapter, layer);
  return trainable === "all" ? model.blockParameters : [];
}

/** Trained arrays among the `weights` of a stage outside the blocks, and among the adapter's that it uses. */
function trainedOutside({ model, adapter, trainable }: HeadSetup, weights: Part, made: Made): Part {
  if (trainable === "all") return weights;
  if (trainable === "none") return [];
  return outerParameters(model, adapter).filter(({ name }) => made.has(name));
}

/** Gradients by the names of their outputs: `d:NAME` for each trained array. */
function named(trained: Part, given: readonly Tensor[]): Record<string, Tensor> {
  return Object.fromEntries(trained.map(({ name }, i) => [`d:${name}`, given[i]!]));
}

function buildEmbedding(setup: Setup, rows: number) {
  const matrix = setup.model.embeddingParameter;
  const embeddingParameter = { ...matrix, dtype: matrixType(setup, matrix.name) };
  const model = { ...setup.model, embeddingParameter };
  const { y, made } = embeddingStage(model, setup.adapter, input("ids", "int64", [rows]));
  return { y, made, trained: trainedOutside(setup, [setup.model.embeddingParameter], made) };
}

/** Ids int64 [n] to hidden states y [n, hidden_size]. */
export function embeddingForward(setup: Setup, rows: number): Program {
  return writeProgram("embedding", { y: buildEmbedding(setup, rows).y });
}

/** Whether anything is trained before the first block. */
export function trainsEmbedding(setup: Setup): boolean {
  return buildEmbedding(setup, 1).trained.length > 0;
}

/** Ids and dy [n, hidden_size] to the gradient of what is trained before the first block. */
export function embeddingBackward(setup: Setup, rows: number): Program {
  const { y, made, trained } = buildEmbedding(setup, rows);
  const seed = { output: y, gradient: input("dy", "float32", y.shape) };
  const wrt = trained.map(({ name }) => made.get(name)!);
  return writeProgram("embedding_backward", named(trained, gradients([seed], wrt)));
}

/** A layer, whether its adapter's inputs are masked, and what its forward pass keeps. */
export type BlockPlace = {
  readonly layer: number;
  readonly drops: boolean;
  readonly keeping: Keeping;
  /** So many rows are wanted of its output, as `wanted` int64 names them; all when not given. */
  readonly wanted?: number;
};

const FIRST: BlockPlace = { layer: 0, drops: false, keeping: "nothing" };

/** What of a long input is not kept from inside the feed-forward layer is there for so many rows at a time. */
const PART_ROWS = 704;
/** Where some parts stay: as many as there is memory for, so finer ones. */
export const STAYING_ROWS = 448;
/** Where nothing is kept from inside it. */
const PARTED: ReadonlySet<Keeping> = new Set(["nothing", "attention", "narrow"]);

function partedRows(rows: number, trained: Part, staying: Staying) {
  const names = new Set(trained.map(({ name }) => name));
  return (x: Tensor, f: (rows: Tensor) => Tensor) => inRowParts(x, f, { rows, trained: names, staying });
}

function buildBlock(
  setup: Setup,
  extent: Extent,
  {
    layer,
    drops,
    wanted,
    keeping,
    joint = jointProduct(setup.frozen ?? []),
  }: BlockPlace & { readonly joint?: JointHook },
) {
  const { model, adapter } = setup;
  const masks: Parameter[] = [];
  const dropout = (x: Tensor, name: string) => {
    masks.push({ name: `mask:${name}`, shape: x.shape });
    return mul(x, input(`mask:${name}`, "float32", x.shape));
  };
  const hooks = blockHooks(model, adapter, drops ? { layer, joint, dropout } : { layer, joint });
  const x = input("x", "float32", [extent.batch * extent.length, model.hidden_size]);
  const rows = wanted === undefined ? null : input("wanted", "int64", [wanted]);
  const picks = rows ? { wanted: (stream: Tensor) => gather(stream, rows) } : {};
  const rounds = setup.steps === undefined ? extent : { ...extent, steps: setup.steps };
  const attend = causalAttention(model.attention, rounds, rows);
  const staying = createStaying(keeping === "narrow" ? (setup.staying ?? 0) : 0);
  const size = setup.staying === undefined ? PART_ROWS : STAYING_ROWS;
  const byRows = partedRows(size, trainedIn(setup, layer), staying);
  const parts = drops || !PARTED.has(keeping) ? {} : { byRows, stays: staying.stays };
  const y = model.block({ ...hooks, ...picks, ...parts, attend }, x);
  return { x, y, aside: staying.aside, made: hooks.made, masks };
}

/** Linear layers of a block that nothing trains, as they share inputs. */
export function frozenGroups(setup: Setup): FrozenGroup[] {
  if (setup.trainable === "all") return [];
  const build = (joint: JointHook) => {
    buildBlock(setup, { batch: 1, length: 1 }, { ...FIRST, joint });
  };
  const groups = groupsOf({ linears: setup.model.linears, trained: trainedIn(setup, 0), build });
  return setup.once ? groups.map((group) => ({ ...group, once: true })) : groups;
}

/** Base arrays of a block that its programs take as they are. */
export function plainParameters(setup: Setup): string[] {
  const { made } = buildBlock(setup, { batch: 1, length: 1 }, FIRST);
  return setup.model.blockParameters.map(({ name }) => name).filter((name) => made.has(name));
}

/** x to y, and for each group what its input channels are like, as `observing` has it. */
export function blockObserved(setup: Setup, extent: Extent, groups: readonly FrozenGroup[]): Program {
  const { joint, seen } = observing(groups);
  const { y } = buildBlock(setup, extent, { ...FIRST, keeping: "all", joint });
  return writeProgram("block_observed", { y, ...seen });
}

/** The masks that a block's programs take beside x and its arrays, each 0 or 1 / (1 - rate). */
export function blockMasks(setup: Setup, extent: Extent, place: BlockPlace): readonly Parameter[] {
  return place.drops ? buildBlock(setup, extent, place).masks : [];
}

/** Name under which a block's own input is kept. */
const OWN_INPUT = "kept:x";

/** Both passes of a block, cut where what is kept goes from one to the other. */
function buildPasses(setup: Setup, extent: Extent, place: BlockPlace) {
  const { x, y, aside, made } = buildBlock(setup, extent, place);
  const trained = trainedIn(setup, place.layer);
  const seed = { output: y, gradient: input("dy", "float32", y.shape) };
  const [dx, ...given] = gradients([seed], [x, ...trained.map(({ name }) => made.get(name)!)]);
  const outputs = { dx: dx!, ...named(trained, given) };
  const rule = keepRule(place.keeping, sizeOf(x.shape), { ...setup, aside });
  const { backward, kept } = cutForward(outputs, [y, ...aside], rule);
  if (setup.staying === undefined || place.keeping === "nothing") return { y, kept, backward };
  const held = asHalf(x);
  const own = asFloat(input(OWN_INPUT, held.dtype, held.shape));
  const instead = ({ source }: Tensor) => (source === x.source ? own : undefined);
  return { y, kept: { ...kept, [OWN_INPUT]: held }, backward: replaceTensors(backward, instead) };
}

/** x [n, hidden_size] to y and what is kept, for the layer of that number and all of its variant. */
export function blockForward(setup: Setup, extent: Extent, place: BlockPlace = FIRST): Program {
  const order = forwardOrder(setup, extent);
  if (place.keeping === "nothing") {
    return writeProgram("block", simplify({ y: buildBlock(setup, extent, place).y }), order);
  }
  const { y, kept } = buildPasses(setup, extent, place);
  return writeProgram("block", simplify({ y, ...kept }), order);
}

/**
 * Of a long input keys are cut out for one tile after another, which take half of the memory if all are there at once.
 * What is put into 16 bits is to be let go of at once.
 */
function forwardOrder({ halved }: Setup, { length }: Extent): Order {
  if (halved) return "ends";
  return length > LONG ? "depth" : "first";
}

/** What is kept of a block, by the names under which its programs give and take it. */
export function blockKept(setup: Setup, extent: Extent, place: BlockPlace): readonly KeptPart[] {
  if (place.keeping === "nothing") return [];
  const { kept } = buildPasses(setup, extent, place);
  return Object.entries(kept).map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
}

export type KeptPart = Parameter & { readonly dtype: DType };

/** x, what is kept and dy to dx and the gradient of every trained array of the block. */
export function blockBackward(setup: Setup, extent: Extent, place: BlockPlace = FIRST): Program {
  return writeProgram("block_backward", simplify(buildPasses(setup, extent, place).backward));
}

/** Bytes that both programs of a block need while they run, beside what they are given and give, and of what is kept. */
export function blockBytes(
  setup: Setup,
  extent: Extent,
  place: BlockPlace,
): Record<"forward" | "backward" | "kept", number> {
  const { y, kept, backward } = buildPasses(setup, extent, place);
  const given = place.keeping === "nothing" ? {} : kept;
  return {
    forward: peakBytes(simplify({ y, ...given }), forwardOrder(setup, extent)),
    backward: peakBytes(simplify(backward)),
    kept: Object.values(given).reduce(
      (sum, { dtype, shape }) => sum + bytesPerElement[dtype] * sizeOf(shape),
      0,
    ),
  };
}

type HeadExtent = { readonly rows: number; readonly targets: number };

function buildHead({ model, adapter }: HeadSetup, { rows, targets }: HeadExtent) {
  const x = input("x", "float32", [rows, model.hidden_size]);
  const picked = gather(x, input("target_rows", "int64", [targets]));
  const { y: logits, made } = headStage(model, adapter, picked);
  const logProbabilities = logSoftmax(logits);
  const labels = input("labels", "int64", [targets, 1]);
  const chosen = reshape(apply("GatherElements", [logProbabilities, labels], { axis: 1 }), [targets]);
  const weights = input("weights", "float32", [targets]);
  return { x, nll: mul(neg(chosen), weights), logProbabilities, weights, made };
}

/**
 * What is differentiated: (1 - s)·NLL + s·mean over the vocabulary of -log p, as transformers' LabelSmoother has it
 * (transformers:src/transformers/trainer_pt_utils.py). What is told stays the plain loss, so that runs compare.
 */
function smoothedLoss({ nll, logProbabilities, weights }: ReturnType<typeof buildHead>, smoothing: number) {
  if (smoothing === 0) return nll;
  const uniform = neg(apply("ReduceMean", [logProbabilities, int64s([1])], { keepdims: 0 }));
  return add(mul(nll, scalar(1 - smoothing)), mul(mul(uniform, weights), scalar(smoothing)));
}

/**
 * Loss of `targets` positions of x [rows, hidden_size]: only these rows reach the vocabulary. Inputs: target_rows
 * int64 [m], labels int64 [m, 1], weights float32 [m] (those of the examples, 0 for filling). Output: nll [m], in nats, weighted.
 */
export function headForward(setup: HeadSetup, extent: HeadExtent): Program {
  return writeProgram("head", { nll: buildHead(setup, extent).nll });
}

/** The same with dx [rows, hidden_size] of the summed loss, and the gradient of every trained array of the head. */
export function headBackward(setup: HeadSetup, extent: HeadExtent): Program {
  const head = buildHead(setup, extent);
  const { x, nll, made } = head;
  const trained = trainedOutside(setup, setup.model.headParameters, made);
  const ones = constant("float32", [extent.targets], new Float32Array(extent.targets).fill(1));
  const wrt = [x, ...trained.map(({ name }) => made.get(name)!)];
  const [dx, ...given] = gradients(
    [{ output: smoothedLoss(head, setup.label_smoothing ?? 0), gradient: ones }],
    wrt,
  );
  return writeProgram("head_backward", { nll, dx: dx!, ...named(trained, given) });
}
