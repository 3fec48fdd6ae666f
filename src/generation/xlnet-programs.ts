// The programs with which a network of two streams writes an answer: its prompt at once, then an id at a time, whose
// content row and the query row of the place after it go through the blocks together. Adapters' arrays are those of
// `frozenArrays`.

import type { AdapterConfig } from "../adapters/adapter.ts";
import { blockHooks, createParameters, embeddingStage, headStage } from "../adapters/hooks.ts";
import {
  add,
  concat,
  matMul,
  mul,
  reduceSum,
  reshape,
  scaled,
  slice,
  softmax,
  split,
  transpose,
} from "../graph/build.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import { type Heads, type StreamHooks, streamAttention, type XLNet } from "../models/xlnet.ts";

/** A network and its adapter's options. */
export type Written = { readonly model: XLNet; readonly adapter: AdapterConfig | null };

/** Ids int64 [content] to their rows and the query row of the place after them: y [content + 1, hidden_size]. */
export function embeddingProgram({ model, adapter }: Written, content: number): Program {
  const { queryParameter, hidden_size } = model;
  const { y } = embeddingStage(model, adapter, input("ids", "int64", [content]));
  const { parameter } = createParameters([queryParameter]);
  const query = reshape(parameter(queryParameter.name), [1, hidden_size]);
  return writeProgram("embedding", { y: concat([y, query], 0) });
}

/** Waves [count, hidden_size] to what a query of a layer meets at these distances: y [count, n_head·d_head]. */
export function distancesProgram(
  written: Written,
  { layer, count }: { layer: number; count: number },
): Program {
  const waves = input("waves", "float32", [count, written.model.hidden_size]);
  let y: Tensor | undefined;
  block(written, { layer, content: 1 }, ({ toContent, distanceKeys }) => {
    y = distanceKeys(waves);
    return toContent;
  });
  return writeProgram("distances", { y: y! });
}

type Place = { readonly layer: number; readonly content: number };

/** A block over content rows and one query row. */
function block(
  { model, adapter }: Written,
  { layer, content }: Place,
  attend: StreamHooks["attend"],
): Tensor {
  const x = input("x", "float32", [content + 1, model.hidden_size]);
  return model.block({ ...blockHooks(model, adapter, { layer, frozen: true }), content, attend }, x);
}

/**
 * x of a prompt [content + 1, hidden_size] to y, and to keys and values [heads, content, d]. Inputs beside x: waves
 * [2 · content + 1, hidden_size] from distance content + 1 on, and mask [1, 1, 1, content], which hides padding.
 */
export function promptBlock(written: Written, { layer, content }: Place): Program {
  const { attention, hidden_size } = written.model;
  const { n_head: heads, d_head: d } = attention;
  const byHead = (x: Tensor) => transpose(reshape(x, [content, heads, d]), [1, 0, 2]);
  const mask = input("mask", "float32", [1, 1, 1, content]);
  let kept: { readonly key: Tensor; readonly value: Tensor } | undefined;
  const y = block(written, { layer, content }, ({ toContent, toDistance, k, v, distanceKeys }) => {
    kept = { key: byHead(k), value: byHead(v) };
    const far = distanceKeys(input("waves", "float32", [2 * content + 1, hidden_size]));
    const stream = (queries: number, [from, to]: readonly [number, number], distances: Tensor) =>
      streamAttention(
        attention,
        { batch: 1, queries, keys: content },
        {
          toContent: slice(toContent, 0, [from, to]),
          toDistance: slice(toDistance, 0, [from, to]),
          ...{ k, v, distances, mask },
        },
      );
    const rows = stream(content, [0, content], slice(far, 0, [1, 2 * content + 1]));
    return concat([rows, stream(1, [content, content + 1], slice(far, 0, [0, content + 1]))], 0);
  });
  return writeProgram("prompt_block", { y, ...kept! });
}

/**
 * x of an id and of the query after it [2, hidden_size] to y, and to the id's key and value [heads, 1, d]. Inputs beside
 * x: past_key and past_value [heads, capacity, d]; mask [1, 1, capacity + 1], which hides what is not there and ends with
 * the id itself; far [capacity + 1, heads·d], keys of distances from that of the query to the first place on; near
 * [2, heads·d], those of the distances 1 and 0.
 */
export function stepBlock(
  written: Written,
  { layer, capacity }: { layer: number; capacity: number },
): Program {
  const { n_head: heads, d_head: d } = written.model.attention;
  let kept: { readonly key: Tensor; readonly value: Tensor } | undefined;
  const y = block(written, { layer, content: 1 }, (given) => {
    kept = { key: reshape(given.k, [heads, 1, d]), value: reshape(given.v, [heads, 1, d]) };
    const scores = concat([pastScores(given, { heads, d, capacity }), ownScores(given, { heads, d })], 2);
    const masked = add(scaled(scores, 1 / Math.sqrt(d)), input("mask", "float32", [1, 1, capacity + 1]));
    const [before, now] = split(softmax(masked), [capacity, 1], 2);
    const past = input("past_value", "float32", [heads, capacity, d]);
    const mixed = add(matMul(before!, past), matMul(now!, kept.value));
    return reshape(transpose(mixed, [1, 0, 2]), [2, heads * d]);
  });
  return writeProgram("step_block", { y, ...kept! });
}

type Sizes = { readonly heads: number; readonly d: number };

/** Both rows' scores over what came before: [heads, 2, capacity]. */
function pastScores(
  { toContent, toDistance }: Heads,
  { heads, d, capacity }: Sizes & { capacity: number },
): Tensor {
  const columns = (x: Tensor) => transpose(reshape(x, [2, heads, d]), [1, 2, 0]);
  const byContent = matMul(input("past_key", "float32", [heads, capacity, d]), columns(toContent));
  const far = reshape(input("far", "float32", [capacity + 1, heads * d]), [capacity + 1, heads, d]);
  const byDistance = matMul(transpose(far, [1, 0, 2]), columns(toDistance));
  // The query is a place further on than the id.
  const ofId = slice(slice(byDistance, 2, [0, 1]), 1, [1, capacity + 1]);
  const ofQuery = slice(slice(byDistance, 2, [1, 2]), 1, [0, capacity]);
  return transpose(add(byContent, concat([ofId, ofQuery], 2)), [0, 2, 1]);
}

/** Both rows' scores over the id itself: [heads, 2, 1]. */
function ownScores({ toContent, toDistance, k }: Heads, { heads, d }: Sizes): Tensor {
  const near = input("near", "float32", [2, heads * d]);
  const ordered = concat([slice(near, 0, [1, 2]), slice(near, 0, [0, 1])], 0);
  const products = add(mul(toContent, k), mul(toDistance, ordered));
  const sums = reduceSum(reshape(products, [2, heads, d]), [2]);
  return reshape(transpose(sums, [1, 0]), [heads, 2, 1]);
}

/** Logits [vocab_size] of the last of x's rows, the query's. */
export function headProgram({ model, adapter }: Written, rows: number): Program {
  const x = slice(input("x", "float32", [rows, model.hidden_size]), 0, [rows - 1, rows]);
  return writeProgram("head", { logits: reshape(headStage(model, adapter, x).y, [model.vocab_size]) });
}
