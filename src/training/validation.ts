// When held-out loss is measured while a run trains, and on how many examples: often enough to see the best moment,
// in at most a twentieth of the run's time. By steps it follows from lengths alone, never from the clock, so that a
// run is the same however fast the machine is.

import { createRandom } from "../base/random.ts";
import { bucketOf, type Sequence } from "./batch.ts";
import type { Resolved } from "./options.ts";
import { windowSize } from "./order.ts";

/** What validations may take of a run. */
export const SHARE = 0.05;
/** A training step runs each block forward twice and once back; a validation only forward. */
const STEP_COST = 3;
/** Validations of a run, the most wanted first. */
const COUNTS = [20, 15, 10, 7, 5] as const;
/** Held-out examples of one: the mean of fewer than the first says little, of more than the last no more. */
const FEWEST = 4;
const ENOUGH = 32;
const MOST = 64;

export type ValidationPlan = {
  readonly sequences: readonly Sequence[];
  /** Steps from one to the next; `null` where the clock decides. */
  readonly every: number | null;
};

type Parts = {
  readonly options: Resolved;
  readonly sequences: readonly Sequence[];
  readonly validation: readonly Sequence[];
};

/** Plans validations of a run of `total` steps, or by the clock where that is `null`. */
export function planValidation(
  { options, sequences, validation }: Parts,
  total: number | null,
): ValidationPlan {
  if (options.eval_strategy === "no" || validation.length === 0) return { sequences: [], every: null };
  const order = createRandom(options.seed).shuffle(validation);
  const given = givenInterval(options, sequences.length);
  const first = (count: number) => order.slice(0, options.max_eval_samples ?? clamp(count, order.length));
  if (total === null && given === null) return { sequences: first(MOST), every: null };
  // Examples of a validation that one training step pays for.
  const earned = (SHARE * STEP_COST * windowSize(options) * meanCost(sequences)) / meanCost(validation);
  if (given !== null) return { sequences: first(Math.floor(given * earned)), every: given };
  const affordable = (count: number) => Math.floor((total! * earned) / count);
  const enough = Math.min(ENOUGH, order.length);
  const most = COUNTS.find((count) => affordable(count) >= enough) ?? COUNTS.at(-1)!;
  const count = affordable(most) >= FEWEST ? most : Math.max(2, affordable(FEWEST));
  return { sequences: first(affordable(count)), every: Math.max(1, Math.ceil(total! / count)) };
}

/** How many examples a validation may have where one example takes `seconds` and the run `time`. */
export function countByClock(time: number, seconds: number): number {
  return clamp(Math.floor((SHARE * time) / COUNTS.at(-1)! / seconds), MOST);
}

/** Seconds from one validation to the next where one takes `cost`. */
export function intervalByClock(time: number, cost: number): number {
  return Math.max(time / COUNTS[0], cost / SHARE);
}

function givenInterval(options: Resolved, count: number): number | null {
  if (options.eval_strategy === "epoch") return Math.max(1, Math.ceil(count / windowSize(options)));
  return options.eval_steps;
}

function clamp(count: number, available: number): number {
  return Math.min(available, MOST, Math.max(FEWEST, count));
}

function meanCost(sequences: readonly Sequence[]): number {
  return sequences.reduce((n, { ids }) => n + bucketOf(ids.length), 0) / sequences.length;
}
