// How long a run will take, found by doing a little of it: batches of a few lengths are trained on and timed, and the
// run's own windows are added up from that. What is trained is changed by nothing but gradients, which are cleared.

import { packBatches, type Sequence } from "./batch.ts";
import type { Engine } from "./engine.ts";
import type { Resolved } from "./options.ts";
import { totalSteps, windowAt } from "./order.ts";
import { planValidation } from "./validation.ts";

export type Rehearsed = {
  /** Optimizer steps, and seconds of training with its validations. */
  readonly steps: number;
  readonly seconds: number;
  /** Ids that the run sees, padding not counted, and ids a second. */
  readonly tokens: number;
  readonly tokens_per_second: number;
  readonly validations: number;
  /** Held-out examples of each. */
  readonly held_out: number;
};

type Parts = {
  readonly engine: Engine;
  readonly sequences: readonly Sequence[];
  readonly validation: readonly Sequence[];
  readonly options: Resolved;
  readonly batch: number;
  readonly signal: AbortSignal;
};

/** Lengths that are tried, as shares of all sequences by length; the longest shows what memory it takes. */
const TRIED = [0.1, 0.5, 0.9, 1] as const;
/** Windows that stand for all. */
const WINDOWS = 200;

/** Seconds of one batch by its length: `first` with its programs compiled, `again` without. */
type Sample = { readonly length: number; readonly first: number; readonly again: number };

/** Estimates a run. */
export async function rehearse(parts: Parts): Promise<Rehearsed> {
  const { engine, sequences, options } = parts;
  const samples = await timeBatches(parts, (batch) => engine.accumulate(batch));
  engine.clearGradients();
  const total = totalSteps(options, sequences.length);
  const windows = Math.min(WINDOWS, total ?? WINDOWS);
  const window = windowCost(parts, samples, windows);
  const plan = planValidation(parts, total);
  const held = plan.sequences.length;
  const each = held === 0 ? 0 : await validationCost(parts, plan.sequences);
  const steps = total ?? Math.max(1, Math.round((0.95 * options.time!) / window.seconds));
  const validations = held === 0 ? 0 : plan.every === null ? 10 : 1 + Math.ceil(steps / plan.every);
  const seconds = steps * window.seconds + (plan.every === null ? 0 : validations * each);
  return {
    steps,
    seconds: total === null ? options.time! : seconds,
    tokens: Math.round(steps * window.tokens),
    tokens_per_second: window.tokens / window.seconds,
    validations,
    held_out: held,
  };
}

async function timeBatches(
  { sequences, batch: rows, signal }: Parts,
  run: (batch: ReturnType<typeof packBatches>[number]) => Promise<unknown>,
): Promise<Sample[]> {
  const sorted = [...sequences].sort((a, b) => a.ids.length - b.ids.length);
  const samples: Sample[] = [];
  for (const share of TRIED) {
    const middle = Math.min(sorted.length - 1, Math.floor(share * sorted.length));
    const members = Array.from({ length: rows }, (_, i) => sorted[Math.max(0, middle - i)]!);
    const [batch] = packBatches(members, rows);
    if (samples.some(({ length }) => length === batch!.extent.length)) continue;
    signal.throwIfAborted();
    const first = await secondsOf(() => run(batch!));
    const again = Math.min(await secondsOf(() => run(batch!)), await secondsOf(() => run(batch!)));
    samples.push({ length: batch!.extent.length, first: Math.max(first, again), again });
  }
  return samples;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** Mean seconds and ids of an optimizer step. */
function windowCost({ sequences, options, batch }: Parts, samples: readonly Sample[], windows: number) {
  let seconds = 0;
  let tokens = 0;
  let held = -1;
  for (let step = 0; step < windows; step++) {
    const members = windowAt(options, sequences.length, step).map((index) => sequences[index]!);
    tokens += members.reduce((n, { ids }) => n + ids.length, 0);
    for (const { extent } of packBatches(members, batch)) {
      seconds += secondsAt(samples, extent.length, extent.length === held ? "again" : "first");
      held = extent.length;
    }
  }
  return { seconds: seconds / windows, tokens: tokens / windows };
}

/** Between two measured lengths the time is taken to grow evenly. */
function secondsAt(samples: readonly Sample[], length: number, which: "first" | "again"): number {
  const above = samples.findIndex((sample) => sample.length >= length);
  const [a, b] =
    above > 0 ? [samples[above - 1]!, samples[above]!] : [{ length: 0, first: 0, again: 0 }, samples[0]!];
  const share = (length - a.length) / (b.length - a.length);
  // Of a length below the measured ones compiling takes as long.
  const compile = above > 0 ? 0 : (1 - share) * (b.first - b.again);
  return a[which] + share * (b[which] - a[which]) + (which === "first" ? compile : 0);
}

async function validationCost(parts: Parts, held: readonly Sequence[]): Promise<number> {
  const measured = { ...parts, sequences: held, batch: 1 };
  const samples = await timeBatches(measured, (batch) => parts.engine.evaluate(batch));
  let last = -1;
  return packBatches(held, 1).reduce((seconds, { extent: { length } }) => {
    const which = length === last ? "again" : "first";
    last = length;
    return seconds + secondsAt(samples, length, which);
  }, 0);
}
