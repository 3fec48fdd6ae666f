// How long a run will take, found by doing a little of it: a few of the run's own batches, short to long, are trained
// on and timed, the optimizer is timed on gradients of zero, and all the run's batches are added up from that. Nothing
// that is trained changes.

import type { Batch, Sequence } from "./batch.ts";
import type { Network } from "./network.ts";
import { type OptimizerName, optimizers } from "./optimizer.ts";
import type { Resolved } from "./options.ts";
import { totalSteps, windowAt } from "./order.ts";
import { planValidation } from "./validation.ts";

export type Rehearsed = {
  /** Optimizer steps, and seconds of all: preparing, training, validations. */
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
  readonly engine: Network;
  readonly sequences: readonly Sequence[];
  readonly validation: readonly Sequence[];
  readonly options: Resolved;
  readonly batch: number;
  readonly signal: AbortSignal;
  /** Seconds that were over when all this was ready; a run counts them too. */
  readonly prepared?: number;
};

/** Batches that are tried, as shares of all by length; the longest shows what memory it takes. */
const TRIED = [0.1, 0.5, 0.9, 1] as const;
/** Windows that stand for all. */
const WINDOWS = 200;

/** Seconds of one batch by its length: `first` with its programs compiled, `again` without. */
type Sample = { readonly length: number; readonly first: number; readonly again: number };

/** `switching` is the share of compiling that it takes to come back to a length after another one. */
type Timing = { readonly samples: readonly Sample[]; readonly switching: number };

/** Estimates a run. */
export async function rehearse(parts: Parts): Promise<Rehearsed> {
  const { engine, sequences, options, prepared = 0 } = parts;
  const total = totalSteps(options, sequences.length);
  const windows = windowsOf(parts, total);
  const timing = await timeBatches(parts, windows.tried, (batch) => engine.accumulate(batch));
  engine.clearGradients();
  const stepping = await steppingCost(parts);
  const plan = planValidation(parts, total);
  const held = plan.sequences.length;
  const each = held === 0 ? 0 : await validationCost(parts, plan.sequences);
  const step = secondsOfAll(windows.batches, timing) / windows.count + stepping;
  const steps = total ?? Math.max(1, Math.round((0.95 * options.time! - prepared) / step));
  const validations = held === 0 ? 0 : plan.every === null ? 10 : 1 + Math.ceil(steps / plan.every);
  const seconds = prepared + steps * step + (plan.every === null ? 0 : validations * each);
  const tokens = windows.tokens / windows.count;
  return {
    steps,
    seconds: total === null ? options.time! : seconds,
    tokens: Math.round(steps * tokens),
    tokens_per_second: tokens / step,
    validations,
    held_out: held,
  };
}

type Windows = {
  readonly count: number;
  readonly tokens: number;
  readonly batches: readonly Batch[];
  /** Those that are worth a try. */
  readonly tried: readonly Batch[];
};

/** The windows of a run, as it will pack them: all of a short run, the first of a long one. */
function windowsOf({ engine, sequences, options, batch: rows }: Parts, total: number | null): Windows {
  const count = Math.min(WINDOWS, total ?? WINDOWS);
  const members = Array.from({ length: count }, (_, step) =>
    windowAt(options, sequences.length, step).map((index) => sequences[index]!),
  );
  const batches = members.flatMap((window) => engine.pack(window, rows));
  const tokens = members.flat().reduce((n, { ids }) => n + ids.length, 0);
  // What comes later in a long run may be longer than all that comes first.
  const longest = sequences.reduce((a, b) => (b.ids.length > a.ids.length ? b : a));
  const later = count === total ? [] : engine.pack(Array<Sequence>(rows).fill(longest), rows);
  return { count, tokens, batches, tried: [...batches, ...later] };
}

/** Seconds of the optimizer. Its state stays in memory meanwhile, so that the process becomes as large as the run. */
async function steppingCost({ engine: { trained }, options }: Parts): Promise<number> {
  const optimizer = optimizers[options.optim as OptimizerName];
  const state = optimizer.create(trained);
  const still = { ...options, learning_rate: 0, weight_decay: 0, scale: 0 };
  const step = async () => optimizer.step(state, trained, still);
  await step();
  return secondsOf(step);
}

async function timeBatches(
  { signal }: Parts,
  batches: readonly Batch[],
  run: (batch: Batch) => Promise<unknown>,
): Promise<Timing> {
  const sorted = [...batches].sort((a, b) => a.size - b.size);
  const samples: Sample[] = [];
  for (const share of TRIED) {
    const batch = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
    if (samples.some(({ length }) => length === batch.size)) continue;
    signal.throwIfAborted();
    const first = await secondsOf(() => run(batch));
    const again = Math.min(await secondsOf(() => run(batch)), await secondsOf(() => run(batch)));
    samples.push({ length: batch.size, first: Math.max(first, again), again });
  }
  const shortest = sorted.find(({ size }) => size === samples[0]!.length)!;
  const back = samples.length > 1 ? await secondsOf(() => run(shortest)) : 0;
  const { first, again } = samples[0]!;
  const switching = first > again ? Math.min(1, Math.max(0, back - again) / (first - again)) : 0;
  return { samples, switching };
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

function secondsOfAll(batches: readonly Batch[], timing: Timing): number {
  const secondsOf = follower(timing);
  return batches.reduce((seconds, { size }) => seconds + secondsOf(size), 0);
}

/** Gives the seconds of one batch after another: a length costs more the first time, and when another came before. */
function follower({ samples, switching }: Timing): (length: number) => number {
  const seen = new Set<number>();
  let held = -1;
  return (length) => {
    const share = !seen.has(length) ? 1 : length === held ? 0 : switching;
    seen.add(length);
    held = length;
    return secondsAt(samples, length, share);
  };
}

/** Between two measured lengths, and above them, the time is taken to grow evenly; `share` is that of compiling. */
function secondsAt(samples: readonly Sample[], length: number, share: number): number {
  const found = samples.findIndex((sample) => sample.length >= length);
  const above = found < 0 ? samples.length - 1 : found;
  const b = samples[above]!;
  // Of a length below the measured ones compiling takes as long.
  const a = above > 0 ? samples[above - 1]! : { length: 0, first: b.first - b.again, again: 0 };
  const part = (length - a.length) / (b.length - a.length);
  const between = (which: "first" | "again") => a[which] + part * (b[which] - a[which]);
  return between("again") + share * (between("first") - between("again"));
}

async function validationCost(parts: Parts, held: readonly Sequence[]): Promise<number> {
  const batches = parts.engine.pack(held, 1);
  return secondsOfAll(batches, await timeBatches(parts, batches, (batch) => parts.engine.evaluate(batch)));
}
