// What a training run will need, before it starts: memory by parts, and the longest sequence and largest batch that
// stay inside a budget. The factors were fitted to measured resident memory (docs/log.md).

import type { Adapter } from "../adapters/adapter.ts";
import { sizeOf } from "../base/dtype.ts";
import { UserError } from "../base/errors.ts";
import { LONG } from "../models/block-attention.ts";
import { type AnyModel, everyParameter } from "../models/encoder-decoder.ts";
import type { Model } from "../models/model.ts";
import { bucketOf } from "./batch.ts";
import { outerOf } from "./block-weights.ts";
import { predictPairNumbers } from "./encoder-decoder-plan.ts";
import type { Compute } from "./engine.ts";
import { headTargets, MOST_TARGETS } from "./head.ts";
import { apartFrom } from "./int8.ts";
import type { OptimizerName } from "./optimizer.ts";
import type { Storage } from "./stored.ts";
import { partNumbers, vocabularyOf } from "./vocabulary.ts";
import { predictStreamsNumbers } from "./xlnet-plan.ts";

export type Shape = {
  readonly model: AnyModel;
  /** Numbers that are trained: the adapter's, or all of the model's. */
  readonly trained: number;
  readonly adapter: boolean;
  /** How many of an adapter's numbers are an embedding's or a head's that it trains whole; none when not given. */
  readonly whole?: number;
  /** How frozen products are computed; f32 when not given. */
  readonly compute?: Compute;
  /** How frozen weights are held where their products are f32; f32 when not given. */
  readonly storage?: Storage;
  /** Whether weights on eight bits are held once for both directions; each has its own when not given. */
  readonly once?: boolean;
  /** Share of each target that is spread over the vocabulary; none when not given. */
  readonly label_smoothing?: number;
  /** Whether frozen weights are read anew for every run; products are f32 then. */
  readonly streams?: boolean;
  /** Tokens that an encoder reads at most, of those of an example; half to three quarters when not given. */
  readonly max_in_len?: number | null;
  /** Whether the process holds neither tokenizer nor texts, as that of a bench. */
  readonly bare?: boolean;
  /** Numbers that the optimizer keeps for each trained one, about; 2 when not given. */
  readonly moments?: number;
};

export type Plan = {
  readonly max_length: number;
  readonly batch: number;
  readonly arena: boolean;
  /** Whether weights are read anew for every run, because nothing else fits. */
  readonly streams: boolean;
  /** Predicted peak of resident memory in bytes. */
  readonly memory: number;
};

const BYTES = 4;
/** Node and onnxruntime with what they leave lying about. */
const BARE = 205e6;
/** Tokenizer, the texts of a dataset, and what reads them. */
const TEXTS = 80e6;

/** Bytes of the process itself. */
export function processBytes({ bare = false }: Pick<Shape, "bare">): number {
  return BARE + (bare ? 0 : TEXTS);
}

/** Predicted peak of resident memory of training on batches of one shape, in bytes. */
export function predictMemory(shape: Shape, { batch, length, arena }: Extent): number {
  const { model } = shape;
  if (model.kind === "encoder-decoder") {
    return processBytes(shape) + BYTES * predictPairNumbers({ ...shape, model }, { batch, length, arena });
  }
  if (model.kind === "two-stream") {
    return processBytes(shape) + BYTES * predictStreamsNumbers({ ...shape, model }, { batch, length, arena });
  }
  const numbers = Object.values(decoderNumbers({ ...shape, model }, { batch, length, arena }));
  return processBytes(shape) + BYTES * numbers.reduce((sum, part) => sum + part, 0);
}

/** What rounding, and the check of rounded products, leave behind, in numbers of f32. */
const ROUNDING = 4e6;

export type Extent = { readonly batch: number; readonly length: number; readonly arena: boolean };

/** Numbers of f32 that a decoder's training holds, by what they are. */
export function decoderNumbers(
  { model, ...shape }: Shape & { readonly model: Model },
  { batch, length, arena }: Extent,
): Record<"weights" | "state" | "hidden" | "block" | "head", number> {
  const rows = batch * length;
  const rounded = shape.adapter && shape.compute === "int8";
  const storage = shape.adapter && !rounded ? (shape.storage ?? "f32") : "f32";
  const widest = Math.max(...model.linears.map(({ shape: [out] }) => out!));
  const block = 1.4 * rows * (14 * model.hidden_size + 10 * widest);
  const scores = length * (length > LONG ? TILES : 3 * batch * model.attention.num_attention_heads * length);
  // Weights in blocks are f32 while they are multiplied, in both passes.
  const turned = storage === "f32" ? 0 : 3 * model.linears.reduce((n, { shape }) => n + sizeOf(shape), 0);
  const wish = { trainable: shape.adapter ? ("adapter" as const) : ("all" as const), ...shape };
  const inParts = shape.adapter && !shape.whole && !shape.label_smoothing;
  const head = inParts
    ? HEAD_HELD * partNumbers(model, MOST_TARGETS)
    : 5 * headTargets(model.vocab_size) * model.vocab_size;
  // The gradient of an embedding is made whole, twice where the head is tied to it.
  const dense = 3 * (shape.adapter ? (shape.whole ?? 0) : model.vocab_size * model.hidden_size);
  return {
    weights:
      (shape.streams
        ? streamedNumbers(model)
        : rounded
          ? roundedNumbers(model, shape)
          : heldNumbers(model, storage)) - (vocabularyOf(wish) === "f16" ? outsideNumbers(model) / 2 : 0),
    // A gradient and moments for each trained number; an adapter's numbers themselves come on top of the weights.
    state: shape.trained * ((shape.adapter ? 2 : 1) + (shape.moments ?? 2)),
    hidden: rows * model.hidden_size * (model.num_hidden_layers + 3),
    block: (block + scores + turned) * (arena ? 1.1 : 1),
    // Without the arena a head in parts takes what blocks have given back.
    head:
      head * (arena ? 1.1 : inParts ? 0.3 : 0.8) +
      dense * (arena ? 1.1 : 0.8) +
      (rounded || storage !== "f32" ? ROUNDING : 0),
  };
}

/** Numbers of attention over a long sequence that are held for each key: three arrays of one tile of queries. */
const TILES = 3 * 512;

/** What programs of the head that go through the vocabulary in parts hold over what is alive in them. Measured. */
const HEAD_HELD = 1.8;

/** Numbers of f32 that rounded weights take: a linear layer's half for both directions, or a quarter, and a few columns. */
function roundedNumbers(model: Model, { once }: Pick<Shape, "once">): number {
  const share = once ? 3 / 4 : 1 / 2;
  const saved = model.linears.reduce((n, { shape }) => n + sizeOf(shape) * share - apartFrom(shape), 0);
  return allNumbers(model) - model.num_hidden_layers * saved;
}

/** Numbers of the matrices of the vocabulary; a tied head's is the embedding's. */
function outsideNumbers(model: Model): number {
  const matrices = outerOf(model).filter(({ shape }) => shape.length === 2);
  return matrices.reduce((n, { shape }) => n + sizeOf(shape), 0);
}

/** The same of weights in blocks, of which a program turns back one product's at a time. */
function heldNumbers(model: Model, storage: Storage): number {
  const linear = model.linears.reduce((n, { shape }) => n + sizeOf(shape), 0);
  return allNumbers(model) - model.num_hidden_layers * linear * (1 - STORED[storage]);
}

/** Of weights that are read anew: what stands outside the blocks, and two layers, of which one is about to go. */
function streamedNumbers(model: Model): number {
  const layer = model.blockParameters.reduce((n, { shape }) => n + sizeOf(shape), 0);
  return allNumbers(model) - (model.num_hidden_layers - 2) * layer;
}

function allNumbers(model: Model): number {
  return everyParameter(model).reduce((n, { shape }) => n + sizeOf(shape), 0);
}

/** Numbers of f32 for each weight. */
const STORED: Readonly<Record<Storage, number>> = { f32: 1, int8: 36 / 32 / 4, int4: 24 / 32 / 4 };

/** What a plan needs to know of a model and what is trained of it: `null` is every weight. */
export function shapeOf(model: AnyModel, adapter: Adapter | null, optim: OptimizerName): Shape {
  const arrays = adapter ? adapter.arrays.values() : everyParameter(model);
  const shapes = [...arrays].map(({ shape }) => shape);
  const whole = shapes.filter(([rows]) => rows === model.vocab_size);
  const count = (some: typeof shapes) => some.reduce((n, shape) => n + sizeOf(shape), 0);
  const moments = optim === "adafactor" ? 0 : 2;
  return { model, trained: count(shapes), adapter: adapter !== null, whole: count(whole), moments };
}

export type Wish = {
  readonly max_length: number | null;
  readonly per_device_train_batch_size: number;
  /** Bytes; `null` is no limit. */
  readonly memory: number | null;
};

// Windows make long files fit any of these, and attention's cost grows with the square: in the same time twice as many
// examples are seen at 512 as at 1,024.
const LENGTHS = [512, 448, 384, 320, 256, 192, 128];

/**
 * The longest `max_length` (512 at most unless asked for) and the largest batch within the budget, of what is not planned
 * block by block (fit.ts).
 */
export function planTraining(shape: Shape, wish: Wish): Plan {
  const lengths = lengthsFor(shape, wish);
  const plan = planWithin(shape, { ...wish, lengths });
  if (plan) return plan;
  const smallest = { batch: 1, length: bucketOf(lengths.at(-1)!), arena: false };
  throw tooSmall(wish.memory!, predictMemory(shape, smallest));
}

/** Refuses a budget below the least that is needed. */
export function tooSmall(memory: number, least: number): UserError {
  return new UserError(
    `Expected a memory budget of at least ${megabytes(least)} for this model, found ${megabytes(memory)}; give --memory ${megabytes(least)} or a smaller model`,
  );
}

/** The lengths that may be tried, longest first; one where it was asked for. Refuses more than the model's context. */
export function lengthsFor({ model }: Shape, { max_length }: Pick<Wish, "max_length">): readonly number[] {
  const most = model.max_position_embeddings;
  if (max_length === null) return lengthsWithin(most);
  if (max_length <= most) return [max_length];
  throw new UserError(
    `Expected max_length of at most ${most}, the context of this model, found ${max_length}; give a smaller --max_length`,
  );
}

function planWithin(shape: Shape, { lengths, ...wish }: Wish & { lengths: readonly number[] }): Plan | null {
  const { streams = false } = shape;
  // Shorter sequences lose examples, so they come last; doing without the arena costs more time than smaller batches.
  for (const max_length of lengths) {
    for (const arena of [true, false]) {
      for (let batch = wish.per_device_train_batch_size; batch >= 1; batch = Math.floor(batch / 2)) {
        const memory = predictMemory(shape, { batch, length: bucketOf(max_length), arena });
        if (wish.memory === null || memory <= wish.memory) {
          return { max_length, batch, arena, streams, memory };
        }
      }
    }
  }
  return null;
}

/** Lengths that a context holds, longest first; of a very short context its own. */
function lengthsWithin(most: number): readonly number[] {
  const lengths = LENGTHS.filter((length) => length <= most);
  return lengths.length > 0 ? lengths : [most];
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)}MB`;
}
