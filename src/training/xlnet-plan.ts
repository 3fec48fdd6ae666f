// What training a network of two streams will need, as `plan.ts` says it of one.

import { sizeOf } from "../base/dtype.ts";
import { type XLNet, xlnetParameters } from "../models/xlnet.ts";
import { bucketOf } from "./batch.ts";
import { headTargets } from "./head.ts";
import { rowsOf } from "./xlnet-stages.ts";

/** What is trained: the model, as many numbers of an adapter or of its own, and what the optimizer keeps for each. */
export type StreamsShape = {
  readonly model: XLNet;
  readonly trained: number;
  readonly adapter: boolean;
  readonly moments?: number;
  /** How many of an adapter's numbers are the embedding's that it trains whole. */
  readonly whole?: number;
};

type Sizes = { readonly batch: number; readonly length: number; readonly arena: boolean };

/** Share of an example's tokens that its answer has at most; few have more. */
const SHARE = 0.5;

/** Numbers that are held at the peak, of examples of `length` tokens. */
export function predictStreamsNumbers(shape: StreamsShape, { batch, length, arena }: Sizes): number {
  const { model, trained, adapter, moments = 2, whole = 0 } = shape;
  const { hidden_size: d, vocab_size, attention } = model;
  const answer = bucketOf(Math.ceil(SHARE * length));
  const rows = rowsOf({ batch, length, answer });
  const weights = xlnetParameters(model).reduce((n, parameter) => n + sizeOf(parameter.shape), 0);
  const state = trained * ((adapter ? 2 : 1) + moments);
  const hidden = rows * d * (model.num_hidden_layers + 3);
  const widest = Math.max(...model.linears.map(({ shape: [out] }) => out!));
  const block = rows * (20 * d + 8 * widest) + 4 * length * d;
  // Scores by content, by distance before and after they are shifted, weights, and gradients of each.
  const scores = 10 * batch * attention.n_head * (length * length + answer * length);
  const head = 5 * headTargets(vocab_size) * vocab_size;
  const dense = 3 * (adapter ? whole : vocab_size * d);
  return weights + state + hidden + (block + scores + head + dense) * (arena ? 1.1 : 0.8);
}
