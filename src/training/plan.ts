// What a training run will need, before it starts: memory by parts, and the longest sequence and largest batch that
// stay inside a budget. The factors were fitted to measured resident memory (docs/log.md).

import type { Adapter } from "../adapters/adapter.ts";
import { sizeOf } from "../base/dtype.ts";
import { UserError } from "../base/errors.ts";
import { allParameters, type Model } from "../models/model.ts";
import { bucketOf } from "./batch.ts";
import { headTargets } from "./engine.ts";

export type Shape = {
  readonly model: Model;
  /** Numbers that are trained: the adapter's, or all of the model's. */
  readonly trained: number;
  readonly adapter: boolean;
};

export type Plan = {
  readonly max_length: number;
  readonly batch: number;
  readonly arena: boolean;
  /** Predicted peak of resident memory in bytes. */
  readonly memory: number;
};

const BYTES = 4;
/** Node, onnxruntime, tokenizer, text. */
const PROCESS = 300e6;

/** Predicted peak of resident memory of training on batches of one shape, in bytes. */
export function predictMemory(
  shape: Shape,
  { batch, length, arena }: { batch: number; length: number; arena: boolean },
): number {
  const { model } = shape;
  const rows = batch * length;
  const weights = allParameters(model).reduce((n, parameter) => n + sizeOf(parameter.shape), 0);
  // Gradient and two moments for each trained number; an adapter's numbers themselves come on top of the weights.
  const state = shape.trained * (shape.adapter ? 4 : 3);
  const hidden = rows * model.hidden_size * (model.num_hidden_layers + 3);
  const widest = Math.max(...model.linears.map(({ shape: [out] }) => out!));
  const block = 1.4 * rows * (14 * model.hidden_size + 10 * widest);
  const scores = 3 * batch * model.attention.num_attention_heads * length * length;
  const head = 5 * headTargets(model.vocab_size) * model.vocab_size;
  // Full training makes the gradient of the embedding whole, twice where the head is tied to it.
  const dense = shape.adapter ? 0 : 3 * model.vocab_size * model.hidden_size;
  const working = (block + scores + head + dense) * (arena ? 1.1 : 0.8);
  return PROCESS + BYTES * (weights + state + hidden + working);
}

/** Numbers that are trained. */
export function trainedCount(model: Model, adapter: Adapter | null): number {
  const arrays = adapter ? [...adapter.arrays.values()] : allParameters(model);
  return arrays.reduce((n, { shape }) => n + sizeOf(shape), 0);
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

/** The longest `max_length` (512 at most unless asked for) and the largest batch within the budget. */
export function planTraining(shape: Shape, wish: Wish): Plan {
  const most = shape.model.max_position_embeddings;
  if (wish.max_length !== null && wish.max_length > most) {
    throw new UserError(
      `Expected max_length of at most ${most}, the context of this model, found ${wish.max_length}; give a smaller --max_length`,
    );
  }
  const lengths = wish.max_length === null ? lengthsWithin(most) : [wish.max_length];
  // Shorter sequences lose examples, so they come last; doing without the arena costs more time than smaller batches.
  for (const max_length of lengths) {
    for (const arena of [true, false]) {
      for (let batch = wish.per_device_train_batch_size; batch >= 1; batch = Math.floor(batch / 2)) {
        const memory = predictMemory(shape, { batch, length: bucketOf(max_length), arena });
        if (wish.memory === null || memory <= wish.memory) return { max_length, batch, arena, memory };
      }
    }
  }
  const least = predictMemory(shape, { batch: 1, length: bucketOf(lengths.at(-1)!), arena: false });
  throw new UserError(
    `Expected a memory budget of at least ${megabytes(least)} for this model, found ${megabytes(wish.memory!)}; give --memory ${megabytes(least)} or a smaller model`,
  );
}

/** Lengths that a context holds, longest first; of a very short context its own. */
function lengthsWithin(most: number): readonly number[] {
  const lengths = LENGTHS.filter((length) => length <= most);
  return lengths.length > 0 ? lengths : [most];
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)}MB`;
}
