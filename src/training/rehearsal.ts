// How long a run will take, found by doing a little of it: batches of a few lengths are trained on and timed, the
// optimizer is timed on gradients of zero, and the run's own windows are added up from that. Nothing that is trained
// changes.

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

/** Lengths that are tried, as shares of all sequences by length; the longest shows what memory it takes. */
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
  const timing = await timeBatches(parts, (batch) => engine.accumulate(batch));
  engine.clearGradients();
  const stepping = await steppingCost(parts);
  const total = totalSteps(options, sequences.length);
  const windows = Math.min(WINDOWS, total ?? WINDOWS);
  const window = windowCost(parts, timing, windows);
  const plan = planValidation(parts, total);
  const held = plan.sequences.length;
  const each = held === 0 ? 0 : await validationCost(parts, plan.sequences);
  const step = window.seconds + stepping;
  const steps = total ?? Math.max(1, Math.round((0.95 * options.time! - prepared) / step));
  const validations = held === 0 ? 0 : plan.every === null ? 10 : 1 + Math.ceil(steps / plan.every);
  const seconds = prepared + steps * step + (plan.every === null ? 0 : validations * each);
  return {
    steps,
    seconds: total === null ? options.time! : seconds,
    tokens: Math.round(steps * window.tokens),
    tokens_per_second: window.tokens / step,
    validations,
    held_out: held,
  };
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
  { engine, sequences, batch: rows, signal }: Parts,
  run: (batch: Batch) => Promise<unknown>,
): Promise<Timing> {
  const sorted = [...sequences].sort((a, b) => a.ids.length - b.ids.length);
  const samples: Sample[] = [];
  let shortest: Batch | undefined;
  for (const share of TRIED) {
    const middle = Math.min(sorted.length - 1, Math.floor(share * sorted.length));
    const members = Array.from({ length: rows }, (_, i) => sorted[Math.max(0, middle - i)]!);
    const [batch] = engine.pack(members, rows);
    if (samples.some(({ length }) => length === batch!.size)) continue;
    signal.throwIfAborted();
    const first = await secondsOf(() => run(batch!));
    const again = Math.min(await secondsOf(() => run(batch!)), await secondsOf(() => run(batch!)));
    samples.push({ length: batch!.size, first: Math.max(first, again), again });
    shortest ??= batch!;
  }
  const back = samples.length > 1 ? await secondsOf(() => run(shortest!)) : 0;
  const { first, again } = samples[0]!;
  const switching = first > again ? Math.min(1, Math.max(0, back - again) / (first - again)) : 0;
  return { samples, switching };
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** Mean seconds and ids of an optimizer step, without the optimizer. */
function windowCost({ engine, sequences, options, batch }: Parts, timing: Timing, windows: number) {
  const secondsOf = follower(timing);
  let seconds = 0;
  let tokens = 0;
  for (let step = 0; step < windows; step++) {
    const members = windowAt(options, sequences.length, step).map((index) => sequences[index]!);
    tokens += members.reduce((n, { ids }) => n + ids.length, 0);
    for (const { size } of engine.pack(members, batch)) seconds += secondsOf(size);
  }
  return { seconds: seconds / windows, tokens: tokens / windows };
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

/** Between two measured lengths the time is taken to grow evenly; `share` is that of compiling. */
function secondsAt(samples: readonly Sample[], length: number, share: number): number {
  const above = samples.findIndex((sample) => sample.length >= length);
  const b = samples[Math.max(0, above)]!;
  // Of a length below the measured ones compiling takes as long.
  const a = above > 0 ? samples[above - 1]! : { length: 0, first: b.first - b.again, again: 0 };
  const part = (length - a.length) / (b.length - a.length);
  const between = (which: "first" | "again") => a[which] + part * (b[which] - a[which]);
  return between("again") + share * (between("first") - between("again"));
}

async function validationCost(parts: Parts, held: readonly Sequence[]): Promise<number> {
  const { engine } = parts;
  const measured = { ...parts, sequences: held, batch: 1 };
  const secondsOf = follower(await timeBatches(measured, (batch) => engine.evaluate(batch)));
  return engine.pack(held, 1).reduce((seconds, { size }) => seconds + secondsOf(size), 0);
}
