// What training an encoder–decoder network will need, as `plan.ts` says it of one chain. The factors were fitted to
// measured resident memory (docs/log.md).

import { sizeOf } from "../base/dtype.ts";
import { type EncoderDecoder, everyParameter } from "../models/encoder-decoder.ts";
import { bucketOf } from "./batch.ts";
import type { PairExtent } from "./encoder-decoder-batch.ts";
import { headTargets } from "./head.ts";

/** What is trained: the model, and as many numbers, of an adapter or of its own. */
export type PairShape = {
  readonly model: EncoderDecoder;
  readonly trained: number;
  readonly adapter: boolean;
  /** How many of an adapter's numbers are an embedding's or a head's, and what the optimizer keeps of each (`Shape`). */
  readonly whole?: number;
  readonly moments?: number;
};

type Sizes = { readonly batch: number; readonly length: number; readonly arena: boolean };

/** Share of an example's tokens that its source has: most have three quarters, those with long answers less. */
const SHARES = [0.75, 0.5] as const;

/** Numbers that are held at the peak, of examples of `length` tokens, source and answer together. */
export function predictPairNumbers(shape: PairShape, { batch, length, arena }: Sizes): number {
  const { model, trained, adapter } = shape;
  const weights = everyParameter(model).reduce((n, parameter) => n + sizeOf(parameter.shape), 0);
  const state = trained * ((adapter ? 2 : 1) + (shape.moments ?? 2));
  const extents = SHARES.map((share) => ({
    batch,
    source: bucketOf(Math.ceil(share * length)),
    answer: bucketOf(Math.ceil((1 - share) * length) + 1),
  }));
  const largest = Math.max(
    ...extents.map((extent) => hiddenStates(model, extent) + working(shape, extent, arena)),
  );
  return weights + state + largest;
}

function hiddenStates({ hidden_size, encoder, decoder }: EncoderDecoder, extent: PairExtent): number {
  const layers =
    extent.source * (encoder.num_hidden_layers + 5) + extent.answer * (decoder.num_hidden_layers + 3);
  return extent.batch * hidden_size * layers;
}

/** Each of the programs keeps the memory that it works in, where there is an arena; else only one works at a time. */
function working(
  { model, adapter, whole = 0 }: PairShape,
  { batch, source, answer }: PairExtent,
  arena: boolean,
): number {
  const { num_heads: heads } = model.attention;
  const d = model.hidden_size;
  const widest = Math.max(...model.encoder.linears.map(({ shape: [out] }) => out!));
  const rows = (length: number) => batch * length * (14 * d + 8 * widest);
  const encoder = rows(source) + 4 * batch * heads * model.encoder.scoreCount(source);
  const decoder = rows(answer) + batch * source * 6 * d + 4 * batch * heads * answer * (answer + source);
  const head = 5 * headTargets(model.vocab_size) * model.vocab_size;
  // The gradient of an embedding is made whole, for both sides and for the head.
  const dense = 3 * (adapter ? whole : model.vocab_size * d);
  return arena ? 1.2 * (encoder + decoder + head + dense) : 0.8 * (Math.max(encoder, decoder) + head + dense);
}
