// The programs of a network of two streams, forward and backward, as `stages.ts` has them for one: embedding and blocks.
// Hidden states are content rows [batch · length], then query rows [batch · answer]. The head is that of `stages.ts`.

import {
  adapterParameters,
  blockHooks,
  createParameters,
  embeddingStage,
  outerParameters,
} from "../adapters/hooks.ts";
import { concat, expand, mul, reshape, slice } from "../graph/build.ts";
import { gradients } from "../graph/gradient.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { simplify } from "../graph/simplify.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import type { Parameter } from "../models/model.ts";
import { type Heads, streamAttention, type XLNet } from "../models/xlnet.ts";
import type { Setup } from "./stages.ts";
import type { StreamsExtent } from "./xlnet-batch.ts";

/** What is trained of a network of two streams. */
export type StreamsSetup = Omit<Setup, "model"> & { readonly model: XLNet };

/** Rows of both streams. */
export function rowsOf({ batch, length, answer }: StreamsExtent): number {
  return batch * (length + answer);
}

/** Trained arrays of a block, by their names within it. */
export function trainedIn({ model, adapter, trainable }: StreamsSetup, layer: number): readonly Parameter[] {
  if (trainable === "all") return model.blockParameters;
  return trainable === "adapter" ? adapterParameters(model, adapter, layer) : [];
}

/** A program that gives gradients: dx, where there is an x, and `d:NAME` of what is trained. */
function backwardProgram(
  name: string,
  y: Tensor,
  { x, trained, made }: Pick<Built, "made"> & { x?: Tensor; trained: readonly Parameter[] },
): Program {
  const wrt = trained.map((parameter) => [`d:${parameter.name}`, made.get(parameter.name)!] as const);
  const all = x ? [["dx", x] as const, ...wrt] : wrt;
  const seed = { output: y, gradient: input("dy", "float32", y.shape) };
  const given = gradients(
    [seed],
    all.map(([, tensor]) => tensor),
  );
  return writeProgram(name, simplify(Object.fromEntries(all.map(([output], i) => [output, given[i]!]))));
}

function buildEmbedding(setup: StreamsSetup, { batch, length, answer }: StreamsExtent) {
  const { model, adapter, trainable } = setup;
  const { embeddingParameter, queryParameter, hidden_size } = model;
  const content = embeddingStage(model, adapter, input("ids", "int64", [batch * length]));
  const { parameter, made: asked } = createParameters([queryParameter]);
  const query = reshape(parameter(queryParameter.name), [1, hidden_size]);
  const made = new Map([...content.made, ...asked]);
  const outer = () => outerParameters(model, adapter).filter(({ name }) => content.made.has(name));
  const trained = {
    all: () => [embeddingParameter, queryParameter],
    adapter: outer,
    none: (): Parameter[] => [],
  }[trainable]();
  return { y: concat([content.y, expand(query, [batch * answer, hidden_size])], 0), made, trained };
}

/** Ids int64 [batch · length] to hidden states y of both streams. */
export function embeddingForward(setup: StreamsSetup, extent: StreamsExtent): Program {
  return writeProgram("embedding", { y: buildEmbedding(setup, extent).y });
}

/** Whether anything is trained before the first block. */
export function trainsEmbedding(setup: StreamsSetup): boolean {
  return buildEmbedding(setup, { batch: 1, length: 1, answer: 1 }).trained.length > 0;
}

/** Ids and dy to the gradient of what is trained before the first block. */
export function embeddingBackward(setup: StreamsSetup, extent: StreamsExtent): Program {
  const { y, ...built } = buildEmbedding(setup, extent);
  return backwardProgram("embedding_backward", y, built);
}

/** A layer, and whether its adapter's inputs are masked. */
export type BlockPlace = { readonly layer: number; readonly drops: boolean };

type Built = {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly made: ReadonlyMap<string, Tensor>;
  readonly masked: readonly Parameter[];
};

function buildBlock(setup: StreamsSetup, extent: StreamsExtent, { layer, drops }: BlockPlace): Built {
  const { model, adapter } = setup;
  const masked: Parameter[] = [];
  const dropout = (x: Tensor, name: string) => {
    masked.push({ name: `mask:${name}`, shape: x.shape });
    return mul(x, input(`mask:${name}`, "float32", x.shape));
  };
  const hooks = blockHooks(model, adapter, drops ? { layer, dropout } : { layer });
  const x = input("x", "float32", [rowsOf(extent), model.hidden_size]);
  const content = extent.batch * extent.length;
  const y = model.block({ ...hooks, content, attend: (heads) => bothStreams(model, extent, heads) }, x);
  return { x, y, made: hooks.made, masked };
}

/** Attention of both streams' rows; inputs are the masks, and waves [2 · length, hidden_size] from distance `length` on. */
function bothStreams(
  { attention, hidden_size }: XLNet,
  { batch, length, answer }: StreamsExtent,
  { toContent, toDistance, k, v, distanceKeys }: Heads,
): Tensor {
  const far = distanceKeys(input("waves", "float32", [2 * length, hidden_size]));
  const rows = rowsOf({ batch, length, answer });
  const stream = (name: "content" | "query", queries: number, part: readonly [number, number]) =>
    streamAttention(
      attention,
      { batch, queries, keys: length },
      {
        toContent: slice(toContent, 0, part),
        toDistance: slice(toDistance, 0, part),
        ...{ k, v },
        distances: slice(far, 0, [0, queries + length]),
        mask: input(`${name}_mask`, "float32", [batch, 1, queries, length]),
      },
    );
  const border = batch * length;
  return concat([stream("content", length, [0, border]), stream("query", answer, [border, rows])], 0);
}

/** The masks of dropout that a block's programs take, each 0 or 1 / (1 - rate). */
export function blockMasks(
  setup: StreamsSetup,
  extent: StreamsExtent,
  place: BlockPlace,
): readonly Parameter[] {
  return place.drops ? buildBlock(setup, extent, place).masked : [];
}

/** x [rows, hidden_size], the streams' masks and the waves to y, for the layer of that number and all of its variant. */
export function blockForward(setup: StreamsSetup, extent: StreamsExtent, place: BlockPlace): Program {
  return writeProgram("block", simplify({ y: buildBlock(setup, extent, place).y }));
}

/** The same and dy to dx and the gradient of every trained array of the block. */
export function blockBackward(setup: StreamsSetup, extent: StreamsExtent, place: BlockPlace): Program {
  const { x, y, made } = buildBlock(setup, extent, place);
  return backwardProgram("block_backward", y, { x, made, trained: trainedIn(setup, place.layer) });
}
