// The training loop: batches of ids in, events out. It prints nothing and writes only checkpoints; what the trained
// arrays become is the caller's business. Same options, data and threads give the same bytes, stopped or not, unless
// the clock decides when it ends.

import { UserError } from "../base/errors.ts";
import { createRandom } from "../base/random.ts";
import { type AdamwState, clipFactor, createAdamw, gradientNorm, stepAdamw } from "./adamw.ts";
import { packBatches, type Sequence, targetCount } from "./batch.ts";
import { type Progress, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import type { Engine } from "./engine.ts";
import { meanLoss } from "./loss.ts";
import { epochsOf, type Resolved } from "./options.ts";
import { type Schedule, type ScheduleName, scheduleFactor } from "./schedule.ts";

/** What a run tells of itself as it goes; losses in nats a target. */
export type TrainEvent =
  | {
      readonly type: "started";
      readonly step: number;
      readonly max_steps: number | null;
      readonly sequences: number;
    }
  | {
      readonly type: "step";
      readonly step: number;
      /** Mean negative log-likelihood of this step's targets, in nats. */
      readonly loss: number;
      readonly grad_norm: number;
      readonly learning_rate: number;
      /** Ids of this step, padding not counted. */
      readonly tokens: number;
      readonly seconds: number;
      /** Share of the run that is done, by steps or by the clock. */
      readonly done: number;
    }
  | { readonly type: "validated"; readonly step: number; readonly loss: number }
  | { readonly type: "saved"; readonly step: number; readonly path: string }
  | { readonly type: "finished"; readonly progress: Progress };

/** Everything a run is made of. `identity` names options, data and base: a checkpoint of another one is refused. */
export type TrainRun = {
  readonly engine: Engine;
  readonly sequences: readonly Sequence[];
  readonly validation: readonly Sequence[];
  readonly options: Resolved;
  /** Sequences of one program run, as planned. */
  readonly batch: number;
  /** Where checkpoints go. */
  readonly folder: string;
  readonly identity: string;
  readonly signal: AbortSignal;
};

type State = { step: number; tokens: number; targets: number; seconds: number; losses: number[] };

/** Trains, or goes on from the folder's checkpoint. On abort it writes a checkpoint and throws the signal's reason. */
export async function* train(run: TrainRun): AsyncGenerator<TrainEvent, Progress> {
  const { engine, sequences, options } = run;
  if (sequences.length === 0)
    throw new UserError("Expected training examples, found none that fit; see history");
  const adamw = createAdamw(engine.trained);
  const saved = readCheckpoint(run.folder, run.identity, { trained: engine.trained, adamw });
  const state: State = saved
    ? { ...saved, losses: [...saved.losses] }
    : { step: 0, tokens: 0, targets: 0, seconds: 0, losses: [] };
  const total = options.time === null || options.max_steps > 0 ? stepsOf(run) : null;
  yield { type: "started", step: state.step, max_steps: total, sequences: sequences.length };
  let validatedAt = doneShare(run, state, total);
  const clock = startClock(state);
  while (!isDone(run, state, total)) {
    if (run.signal.aborted) {
      save(run, state, adamw);
      throw run.signal.reason;
    }
    const event = await trainStep(run, state, { adamw, total });
    clock.tick();
    const done = doneShare(run, state, total);
    yield { ...event, done };
    if (isValidationDue(run, state, done - validatedAt) && run.validation.length > 0) {
      validatedAt = done;
      const loss = await validate(run);
      clock.tick();
      if (loss !== null) yield { type: "validated", step: state.step, loss };
    }
    if (isDone(run, state, total) || state.step % options.save_steps === 0) {
      const path = save(run, state, adamw);
      clock.tick();
      yield { type: "saved", step: state.step, path };
    }
  }
  const progress = { ...state, identity: run.identity };
  yield { type: "finished", progress };
  return progress;
}

/** Optimizer steps of a run that counts them. */
function stepsOf({ options, sequences }: TrainRun): number {
  if (options.max_steps > 0) return options.max_steps;
  const epochs = options.num_train_epochs ?? epochsOf(options.kind, sequences.length);
  return Math.max(1, Math.ceil((sequences.length * epochs) / windowSize(options)));
}

function windowSize(options: Resolved): number {
  return options.per_device_train_batch_size * options.gradient_accumulation_steps;
}

/** By steps, by the clock, or whichever of the two is further. */
function doneShare({ options }: TrainRun, state: State, total: number | null): number {
  const bySteps = total === null ? 0 : state.step / total;
  const byClock = options.time === null ? 0 : state.seconds / options.time;
  return Math.max(bySteps, byClock);
}

/** By the clock a run ends where it comes nearest to its time: half a step early rather than a whole one late. */
function isDone(run: TrainRun, state: State, total: number | null): boolean {
  const { time } = run.options;
  if (doneShare(run, state, total) >= 1) return true;
  return time !== null && state.step > 0 && state.seconds + state.seconds / state.step / 2 >= time;
}

/** Adds the time that passes to the run's: steps, validations and checkpoints alike. */
function startClock(state: State): { tick(): void } {
  let last = performance.now();
  return {
    tick() {
      const now = performance.now();
      state.seconds += (now - last) / 1000;
      last = now;
    },
  };
}

/** Held-out loss; `null` when it was interrupted, which is then for the loop to see. */
async function validate({ engine, validation, signal }: TrainRun): Promise<number | null> {
  try {
    return await meanLoss(engine, validation, signal);
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

function isValidationDue({ options }: TrainRun, state: State, since: number): boolean {
  return options.eval_steps === null ? since >= 0.2 : state.step % options.eval_steps === 0;
}

/** Where the schedule is: a run by the clock has no number of steps, so its place is taken from a scale of 1,000. */
function scheduleAt(run: TrainRun, state: State, total: number | null): number {
  const { options } = run;
  const steps = total ?? 1000;
  const warmup_steps =
    options.warmup_steps < 1 ? Math.ceil(options.warmup_steps * steps) : options.warmup_steps;
  const schedule: Schedule = {
    name: options.lr_scheduler_type as ScheduleName,
    warmup_steps,
    max_steps: steps,
  };
  const place = options.time === null ? state.step : doneShare(run, state, total) * steps;
  return scheduleFactor(schedule, Math.min(place, steps));
}

async function trainStep(
  run: TrainRun,
  state: State,
  { adamw, total }: { adamw: AdamwState; total: number | null },
): Promise<Omit<Extract<TrainEvent, { type: "step" }>, "done">> {
  const started = performance.now();
  const { engine, options } = run;
  const members = windowAt(run, state.step);
  const targets = members.reduce((n, sequence) => n + targetCount(sequence), 0);
  const tokens = members.reduce((n, sequence) => n + sequence.ids.length, 0);
  let nll = 0;
  for (const batch of packBatches(members, run.batch)) nll += await engine.accumulate(batch);
  const loss = nll / targets;
  const norm = gradientNorm(engine.trained, 1 / targets);
  requireFinite(loss, norm, state.step + 1);
  const learning_rate = options.learning_rate * scheduleAt(run, state, total);
  const scale = clipFactor(norm, options.max_grad_norm) / targets;
  stepAdamw(adamw, engine.trained, { ...options, learning_rate, scale });
  engine.clearGradients();
  const seconds = (performance.now() - started) / 1000;
  state.step++;
  state.tokens += tokens;
  state.targets += targets;
  state.losses.push(loss);
  return { type: "step", step: state.step, loss, grad_norm: norm, learning_rate, tokens, seconds };
}

/** The sequences of one optimizer step: each pass goes through all of them in an order of its own. */
function windowAt({ sequences, options }: TrainRun, step: number): Sequence[] {
  const size = windowSize(options);
  return Array.from({ length: size }, (_, i) => {
    const at = step * size + i;
    const pass = Math.floor(at / sequences.length);
    return sequences[orderOf(options.seed + pass, sequences.length)[at % sequences.length]!]!;
  });
}

const orders = new Map<string, readonly number[]>();

function orderOf(seed: number, count: number): readonly number[] {
  const key = `${seed} ${count}`;
  const found = orders.get(key);
  if (found) return found;
  const order = createRandom(seed).shuffle([...Array(count).keys()]);
  // Only neighbouring passes are ever asked for.
  if (orders.size > 4) orders.clear();
  orders.set(key, order);
  return order;
}

function requireFinite(loss: number, norm: number, step: number): void {
  if (Number.isFinite(loss) && Number.isFinite(norm)) return;
  throw new UserError(
    `Expected a finite loss and gradient at step ${step}, found ${loss} and ${norm}; try a smaller --learning_rate and start again from the last checkpoint`,
  );
}

function save({ folder, engine, identity }: TrainRun, state: State, adamw: AdamwState): string {
  return writeCheckpoint(folder, { ...state, identity }, { trained: engine.trained, adamw });
}
