// What training an encoder–decoder network will need, as `plan.ts` says it of one chain. The factors were fitted to
// measured resident memory (docs/log.md).

import { sizeOf } from "../base/dtype.ts";
import { type EncoderDecoder, everyParameter } from "../models/encoder-decoder.ts";
import { bucketOf } from "./batch.ts";
import type { PairExtent } from "./encoder-decoder-batch.ts";
import type { Compute } from "./engine.ts";
import { headTargets } from "./head.ts";
import { apartFrom } from "./int8.ts";

/** What is trained: the model, and as many numbers, of an adapter or of its own. */
export type PairShape = {
  readonly model: EncoderDecoder;
  readonly trained: number;
  readonly adapter: boolean;
  /** How many of an adapter's numbers are an embedding's or a head's, and what the optimizer keeps of each (`Shape`). */
  readonly whole?: number;
  readonly moments?: number;
  readonly max_in_len?: number | null;
  readonly compute?: Compute;
};

type Sizes = { readonly batch: number; readonly length: number; readonly arena: boolean };

/** Share of an example's tokens that its source has: most have three quarters, those with long answers less. */
const SHARES = [0.75, 0.5] as const;

/** Numbers that are held at the peak, of examples of `length` tokens, source and answer together. */
export function predictPairNumbers(shape: PairShape, { batch, length, arena }: Sizes): number {
  const { model, trained, adapter } = shape;
  const state = trained * ((adapter ? 2 : 1) + (shape.moments ?? 2));
  const largest = pairExtents(shape, { batch, length }).map(
    (extent) => hiddenStates(model, extent) + workingNumbers(shape, extent, arena),
  );
  return weightNumbers(shape) + state + Math.max(...largest);
}

/** The padded lengths of both sides that an example of `length` tokens may have. */
export function pairExtents(
  { max_in_len }: Pick<PairShape, "max_in_len">,
  { batch, length }: { readonly batch: number; readonly length: number },
): PairExtent[] {
  const sources = max_in_len ? [max_in_len] : SHARES.map((share) => Math.ceil(share * length));
  return sources.map((source) => ({
    batch,
    source: bucketOf(Math.min(source, length)),
    answer: bucketOf(Math.max(1, length - source)),
  }));
}

/** Numbers of f32 that the weights take: rounded, a linear layer's take half for both directions and a few columns. */
function weightNumbers({ model, adapter, compute }: PairShape): number {
  const all = everyParameter(model).reduce((n, parameter) => n + sizeOf(parameter.shape), 0);
  if (!adapter || compute !== "int8") return all;
  const saved = [model.encoder, model.decoder].map(({ linears, num_hidden_layers }) => {
    const each = linears.map(({ shape }) => sizeOf(shape) / 2 - apartFrom(shape));
    return num_hidden_layers * each.reduce((n, number) => n + number, 0);
  });
  return all - saved[0]! - saved[1]!;
}

function hiddenStates({ hidden_size, encoder, decoder }: EncoderDecoder, extent: PairExtent): number {
  const layers =
    extent.source * (encoder.num_hidden_layers + 5) + extent.answer * (decoder.num_hidden_layers + 3);
  return extent.batch * hidden_size * layers;
}

/** Each of the programs keeps the memory that it works in, where there is an arena; else only one works at a time. */
export function workingNumbers(
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
  return 0.8 * ((arena ? encoder + decoder : Math.max(encoder, decoder)) + head + dense);
}
