// What a run must not do quietly: train on nothing, on ids that the model does not have, on numbers that are none, or
// on a loss that guessing would beat. Hugging Face's trainer hides losses that are no numbers by default; here they end
// the run, with the step, the example and what to try.

import { UserError } from "../base/errors.ts";
import { type Sequence, targetCount } from "./batch.ts";
import type { Network } from "./network.ts";
import { areFinite } from "./trained.ts";

/** What to call a sequence in a message, such as its commit and path. */
export type NameOf = (index: number) => string;

/** What sequences must fit: ids below `vocab_size` and, where `end` is known, that id after every answer. */
type Fit = { readonly vocab_size: number; readonly end?: number | undefined };

/** Throws for sequences that cannot be trained on. */
export function requireTrainable(
  sequences: readonly Sequence[],
  { vocab_size, end }: Fit,
  nameOf: NameOf,
): void {
  if (sequences.length === 0)
    throw new UserError("Expected training examples, found none that fit; see history");
  const empty = sequences.findIndex((sequence) => targetCount(sequence) === 0);
  if (empty >= 0) {
    const count = sequences.filter((sequence) => targetCount(sequence) === 0).length;
    throw new UserError(
      `Expected an answer to learn in every example, found none in ${count} of ${sequences.length}, the first is ${nameOf(empty)}; ` +
        "all of it would be masked and its loss 0: give a larger --max_length, or make the dataset again",
    );
  }
  const foreign = sequences.findIndex(({ ids }) => ids.some((id) => id < 0 || id >= vocab_size));
  if (foreign >= 0) {
    const id = sequences[foreign]!.ids.find((id) => id < 0 || id >= vocab_size)!;
    throw new UserError(
      `Expected ids below ${vocab_size}, the rows of the model's embedding, found ${id} in ${nameOf(foreign)}; ` +
        "the tokenizer belongs to another model: give a --model with its own",
    );
  }
  if (end !== undefined) requireEnds(sequences, end, nameOf);
}

/** An answer that is cut off teaches never to stop. */
function requireEnds(sequences: readonly Sequence[], end: number, nameOf: NameOf): void {
  const isCut = ({ ids }: Sequence) => ids.at(-1) !== end;
  const first = sequences.findIndex(isCut);
  if (first < 0) return;
  throw new UserError(
    `Expected the token ${end} at the end of every answer, found ${sequences.filter(isCut).length} of ${sequences.length} answers cut off, the first is ${nameOf(first)}; ` +
      "give a larger --max_length, or make the dataset again",
  );
}

/** What a step came to. */
export type Outcome = {
  readonly step: number;
  readonly loss: number;
  readonly norm: number;
  /** Indices of the sequences that were seen. */
  readonly members: readonly number[];
};

type Guarded = {
  readonly engine: Network;
  readonly sequences: readonly Sequence[];
  readonly nameOf: NameOf;
};

/** Throws when a loss or a gradient is no number; nothing of the step has been applied yet. */
export async function requireFinite(run: Guarded, outcome: Outcome): Promise<void> {
  const { step, loss, norm } = outcome;
  if (Number.isFinite(loss) && Number.isFinite(norm)) return;
  const worst = await worstOf(run, outcome.members);
  throw new UserError(
    `Expected a finite loss and gradient at step ${step}, found ${loss} and ${norm}, the worst example is ${worst}; ` +
      "try a smaller --learning_rate and start again from the last checkpoint, or leave that example out",
  );
}

/** Guessing may look worse than it is by this much: a model that starts from nothing does, by chance. */
const MARGIN = 1.05;
/** Steps in a row: one alone may have had odd examples. */
const PATIENCE = 6;

/** Throws when the loss has been above that of guessing for six steps and does not fall. */
export async function requireBetterThanGuessing(
  run: Guarded,
  outcome: Outcome & { readonly losses: readonly number[] },
): Promise<void> {
  const { losses, step, members } = outcome;
  const limit = MARGIN * Math.log(run.engine.model.vocab_size);
  const recent = losses.slice(-PATIENCE);
  if (recent.length < PATIENCE) return;
  if (recent.some((loss) => loss <= limit) || isFalling(recent)) return;
  const worst = await worstOf(run, members);
  throw new UserError(
    `Expected a loss below ${Math.log(run.engine.model.vocab_size).toFixed(2)}, that of guessing among ${run.engine.model.vocab_size} tokens, ` +
      `found ${outcome.loss.toFixed(2)} at step ${step}, the worst example is ${worst}; try a smaller --learning_rate with --restart, and whether weights and tokenizer of --model belong together`,
  );
}

function isFalling(losses: readonly number[]): boolean {
  const half = Math.ceil(losses.length / 2);
  const sum = (part: readonly number[]) => part.reduce((total, loss) => total + loss, 0) / part.length;
  return sum(losses.slice(-half)) < sum(losses.slice(0, half));
}

/** An error of the runtime or of Node that means no memory, as a sentence; any other as it is. */
export function explainMemory(error: unknown): unknown {
  const message = error instanceof Error ? error.message : "";
  const isMemory = /bad[ _]alloc|failed to allocate|allocation failed|out of memory|invalid array length/i;
  if (error instanceof UserError || !isMemory.test(message)) return error;
  return new UserError(
    `Expected more memory than there is, found that ${message.split("\n")[0]}; close other programs, or give --memory SIZE or a smaller --max_length; the last checkpoint is whole`,
    { cause: error },
  );
}

/** Throws when the optimizer left something that is no number: such arrays must not be saved. */
export function requireFiniteArrays({ trained }: Network, step: number): void {
  if (areFinite(trained.values())) return;
  throw new UserError(
    `Expected finite numbers in what is trained after step ${step}, found some that are none; try a smaller --learning_rate and start again from the last checkpoint`,
  );
}

/** The sequence with the highest loss, or the first whose loss is no number, by name. */
async function worstOf({ engine, sequences, nameOf }: Guarded, members: readonly number[]): Promise<string> {
  let worst = { index: members[0]!, loss: -Infinity };
  for (const index of new Set(members)) {
    const [batch] = engine.pack([sequences[index]!], 1);
    const nll = await engine.evaluate(batch!);
    const loss = nll.reduce((total, value) => total + value, 0) / nll.length;
    if (!Number.isFinite(loss)) return nameOf(index);
    if (loss > worst.loss) worst = { index, loss };
  }
  return nameOf(worst.index);
}
