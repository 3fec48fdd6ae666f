// The training loop: batches of ids in, events out. It prints nothing and writes only checkpoints and event files;
// what the trained arrays become is the caller's business. Same options, data and threads give the same bytes, stopped
// or not, unless the clock decides when it ends.

import { join } from "node:path";
import { type Sequence, targetCount, targetWeight } from "./batch.ts";
import { readCheckpoint, restoreTrained, writeCheckpoint } from "./checkpoint.ts";
import { type Clock, isOver, isTimeToValidate, shareByClock, startClock } from "./clock.ts";
import { mix } from "./dropout.ts";
import {
  explainMemory,
  type NameOf,
  requireBetterThanGuessing,
  requireFinite,
  requireFiniteArrays,
  requireTrainable,
} from "./guard.ts";
import { meanLoss, sequenceLosses } from "./loss.ts";
import type { Network } from "./network.ts";
import { type OptimizerName, optimizers } from "./optimizer.ts";
import type { Resolved } from "./options.ts";
import { totalSteps, windowAt } from "./order.ts";
import { bestOf, createProgress, type EndReason, isOutOfPatience, type Progress } from "./progress.ts";
import { type ScheduleName, scheduleFactor } from "./schedule.ts";
import { type EventFile, evaluationScalars, openEventFile, stepScalars } from "./tensorboard.ts";
import { clipFactor, gradientNorm, type OptimizerState } from "./trained.ts";
import { trainerState } from "./trainer-state.ts";
import { countByClock, intervalByClock, planValidation, type ValidationPlan } from "./validation.ts";

/** What a run tells of itself as it goes; losses in nats a target. */
export type TrainEvent =
  | {
      readonly type: "started";
      readonly step: number;
      readonly max_steps: number | null;
      readonly sequences: number;
      /** Held-out examples of a validation. */
      readonly held_out: number;
    }
  | {
      readonly type: "step";
      readonly step: number;
      /** Mean negative log-likelihood of this step's targets, weighted as the examples are, in nats. */
      readonly loss: number;
      readonly grad_norm: number;
      readonly learning_rate: number;
      /** Ids of this step, padding not counted. */
      readonly tokens: number;
      readonly seconds: number;
      /** Share of the run that is done, by steps or by the clock. */
      readonly done: number;
    }
  | {
      readonly type: "validated";
      readonly step: number;
      readonly loss: number;
      /** The same on examples of the run that this one continues. */
      readonly older?: number;
      /** Whether no step before was better. */
      readonly best: boolean;
    }
  | { readonly type: "saved"; readonly step: number; readonly path: string }
  | { readonly type: "restored"; readonly step: number; readonly loss: number }
  | {
      readonly type: "finished";
      readonly progress: Progress;
      readonly reason: EndReason;
      /** Content of trainer_state.json. */
      readonly told: Readonly<Record<string, unknown>>;
    };

/** Everything a run is made of. `identity` names options, data and base: a checkpoint of another one is refused. */
export type TrainRun = {
  readonly engine: Network;
  readonly sequences: readonly Sequence[];
  readonly validation: readonly Sequence[];
  /** Examples that an earlier run learned and this one does not see, measured at validations too. */
  readonly older?: readonly Sequence[];
  readonly options: Resolved;
  /** Sequences of one program run, as planned. */
  readonly batch: number;
  /** Where checkpoints go. */
  readonly folder: string;
  readonly identity: string;
  readonly signal: AbortSignal;
  /** What to call a training sequence in a message. */
  readonly nameOf?: NameOf;
  /** The id that every answer ends with; an answer that is cut off is refused. */
  readonly end?: number;
  /** When work on the run began, by `performance.now()`; now, when not given. Time counts from there. */
  readonly since?: number;
};

type State = {
  -readonly [K in keyof Progress]: Progress[K] extends readonly (infer T)[] ? T[] : Progress[K];
};

/** A run under way. */
type Course = {
  readonly run: TrainRun;
  readonly state: State;
  readonly optimizer: OptimizerState;
  /** Steps in all; `null` by the clock. */
  readonly total: number | null;
  readonly plan: ValidationPlan;
  readonly clock: Clock;
  readonly events: EventFile | null;
  readonly nameOf: NameOf;
  /** Seconds at the last validation, and the step of the last checkpoint. */
  validatedAt: number;
  savedAt: number;
};

/** Trains, or goes on from the folder's checkpoint. On abort it writes a checkpoint and throws the signal's reason. */
export async function* train(run: TrainRun): AsyncGenerator<TrainEvent, Progress> {
  try {
    return yield* follow(begin(run));
  } catch (error) {
    throw explainMemory(error);
  }
}

async function* follow(course: Course): AsyncGenerator<TrainEvent, Progress> {
  const { run } = course;
  const { state, total, plan } = course;
  const held_out = plan.sequences.length;
  yield { type: "started", step: state.step, max_steps: total, sequences: run.sequences.length, held_out };
  for (;;) {
    if (isValidationDue(course)) yield* validate(course);
    const reason = reasonToEnd(course);
    if (isSaveDue(course, reason !== null)) yield save(course);
    if (reason !== null) return yield* finish(course, reason);
    if (run.signal.aborted) {
      save(course);
      throw run.signal.reason;
    }
    yield await trainStep(course);
  }
}

function begin(run: TrainRun): Course {
  const { engine, options, sequences } = run;
  const nameOf = run.nameOf ?? ((index) => `number ${index}`);
  requireTrainable(sequences, { vocab_size: engine.model.vocab_size, end: run.end }, nameOf);
  const optimizer = optimizers[options.optim as OptimizerName].create(engine.trained);
  const saved = readCheckpoint(run.folder, run.identity, { trained: engine.trained, optimizer });
  const progress = saved ?? createProgress(run.identity, Math.floor(Date.now() / 1000));
  const total = totalSteps(options, sequences.length);
  return {
    run,
    state: structuredClone(progress) as State,
    optimizer,
    total,
    plan: planValidation(run, total),
    clock: startClock(progress.seconds, run.since ?? performance.now(), progress.lasted),
    events: options.report_to === "tensorboard" ? openEventFile(join(run.folder, "runs"), progress) : null,
    nameOf,
    validatedAt: progress.seconds,
    savedAt: saved?.step ?? -1,
  };
}

/** By steps, by the clock since `begun`, or whichever of the two is further. */
function doneShare({ run: { options }, state, total, clock }: Course, begun = 0): number {
  const bySteps = total === null ? 0 : state.step / total;
  const byClock = options.time === null ? 0 : shareByClock(clock, options.time, begun);
  return Math.min(1, Math.max(bySteps, byClock));
}

/** Once there is one, it stays: a last validation that is over sooner than thought is no reason to go on. */
function reasonToEnd(course: Course): EndReason | null {
  course.state.ended ??= findReason(course);
  return course.state.ended;
}

function findReason({ run: { options }, state, total, clock }: Course): EndReason | null {
  if (total !== null && state.step >= total) return "steps";
  if (options.time !== null && state.step > 0 && isOver(clock, options.time)) return "time";
  return isOutOfPatience(state.evaluations, options.early_stopping_patience) ? "patience" : null;
}

/** Before the first step, at intervals, and at the end. */
function isValidationDue(course: Course): boolean {
  const { run, state, plan, clock } = course;
  if (plan.sequences.length === 0 || state.evaluations.at(-1)?.step === state.step) return false;
  if (state.step === 0 || reasonToEnd(course) !== null) return true;
  if (plan.every !== null) return state.step % plan.every === 0;
  const time = run.options.time!;
  const isDue = clock.seconds() - course.validatedAt >= intervalByClock(time, clock.last("validate"));
  return isDue && isTimeToValidate(clock, time);
}

function isSaveDue({ run, state, savedAt }: Course, ends: boolean): boolean {
  if (state.step === 0 || state.step === savedAt) return false;
  const isBest = bestOf(state.evaluations)?.step === state.step && run.options.load_best_model_at_end;
  return ends || isBest || state.step % run.options.save_steps === 0;
}

/** Held-out loss; one that is interrupted is taken again when the run goes on. */
async function* validate(course: Course): AsyncGenerator<TrainEvent> {
  const { run, state, plan, clock, events } = course;
  const { engine, signal, older } = run;
  try {
    state.held_out ??= await heldOutCount(course);
    const sequences = plan.sequences.slice(0, state.held_out);
    const evaluation = await clock.timeAsync("validate", async () => ({
      step: state.step,
      loss: await meanLoss(engine, sequences, signal),
      ...(older?.length ? { older: await meanLoss(engine, older, signal) } : {}),
    }));
    state.evaluations.push(evaluation);
    // What was saved at this step does not know of it yet.
    course.savedAt = -1;
    course.validatedAt = clock.seconds();
    events?.append(evaluationScalars(state, state.evaluations.length - 1));
    yield { type: "validated", ...evaluation, best: bestOf(state.evaluations) === evaluation };
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** By the clock it takes one measured example to know how many are affordable. */
async function heldOutCount({ run, plan }: Course): Promise<number> {
  const { time, max_eval_samples } = run.options;
  if (time === null || plan.every !== null || max_eval_samples !== null) return plan.sequences.length;
  const byLength = [...plan.sequences].sort((a, b) => a.ids.length - b.ids.length);
  const median = [byLength[Math.floor(byLength.length / 2)]!];
  // The first time compiles.
  await sequenceLosses(run.engine, median, run.signal);
  const started = performance.now();
  await sequenceLosses(run.engine, median, run.signal);
  const count = countByClock(time, (performance.now() - started) / 1000);
  return Math.min(plan.sequences.length, count);
}

async function* finish(course: Course, reason: EndReason): AsyncGenerator<TrainEvent, Progress> {
  const { run, state, clock } = course;
  const best = bestOf(state.evaluations);
  if (best && best.step !== state.step && run.options.load_best_model_at_end) {
    restoreTrained(run.folder, best.step, run.engine.trained);
    yield { type: "restored", step: best.step, loss: best.loss };
  }
  state.seconds = clock.seconds();
  yield { type: "finished", progress: state, reason, told: told(course, true) };
  return state;
}

/** Where the schedule is: a run by the clock has no number of steps, so its place is taken from a scale of 1,000. */
function scheduleAt(course: Course): number {
  const { options } = course.run;
  const steps = course.total ?? 1000;
  const share = options.warmup_steps < 1;
  const warmup_steps = share ? Math.ceil(options.warmup_steps * steps) : options.warmup_steps;
  const { step, begun } = course.state;
  const place = options.time === null ? step : doneShare(course, begun ?? 0) * steps;
  const name = options.lr_scheduler_type as ScheduleName;
  return scheduleFactor({ name, warmup_steps, max_steps: steps }, Math.min(place, steps));
}

type StepEvent = Extract<TrainEvent, { type: "step" }>;

async function trainStep(course: Course): Promise<StepEvent> {
  const { run, state, clock } = course;
  const started = performance.now();
  state.begun ??= clock.seconds();
  const indices = windowAt(run.options, run.sequences.length, state.step);
  const members = indices.map((index) => run.sequences[index]!);
  const { loss, norm, learning_rate } = await clock.timeAsync("step", () => update(course, indices));
  const tokens = members.reduce((n, sequence) => n + sequence.ids.length, 0);
  state.step++;
  state.tokens += tokens;
  state.targets += members.reduce((n, sequence) => n + targetCount(sequence), 0);
  state.seconds = clock.seconds();
  state.losses.push(loss);
  state.grad_norms.push(norm);
  state.learning_rates.push(learning_rate);
  state.times.push(state.seconds);
  course.events?.append(stepScalars(state, state.step));
  const outcome = { step: state.step, loss, norm, members: indices, losses: state.losses };
  await requireBetterThanGuessing(guarded(course), outcome);
  const seconds = (performance.now() - started) / 1000;
  const done = doneShare(course);
  return { type: "step", step: state.step, loss, grad_norm: norm, learning_rate, tokens, seconds, done };
}

/** One optimizer step over the sequences of a window. */
async function update(
  course: Course,
  indices: readonly number[],
): Promise<{ loss: number; norm: number; learning_rate: number }> {
  const { run, state, optimizer } = course;
  const { engine, options } = run;
  const members = indices.map((index) => run.sequences[index]!);
  // The whole window's: dividing each batch by its own would weigh short answers more (transformers PR 34191).
  const weight = targetWeight(members);
  let nll = 0;
  for (const [i, batch] of engine.pack(members, run.batch).entries()) {
    nll += await engine.accumulate(batch, [options.seed, state.step, i].reduce(mix, 0));
  }
  const loss = nll / weight;
  const norm = gradientNorm(engine.trained, 1 / weight);
  await requireFinite(guarded(course), { step: state.step + 1, loss, norm, members: indices });
  const learning_rate = options.learning_rate * scheduleAt(course);
  const scale = clipFactor(norm, options.max_grad_norm) / weight;
  optimizers[options.optim as OptimizerName].step(optimizer, engine.trained, {
    ...options,
    learning_rate,
    scale,
  });
  engine.clearGradients();
  return { loss, norm, learning_rate };
}

function guarded({ run, nameOf }: Course) {
  return { engine: run.engine, sequences: run.sequences, nameOf };
}

function save(course: Course): TrainEvent {
  const { run, state, optimizer, clock } = course;
  const { engine, options } = run;
  requireFiniteArrays(engine, state.step);
  state.seconds = clock.seconds();
  state.lasted = clock.lasted();
  const limit = options.save_total_limit ?? 1;
  const kept = { trained: engine.trained, optimizer, told: told(course, false), limit };
  const path = clock.time("save", () => writeCheckpoint(run.folder, state, kept));
  course.savedAt = state.step;
  return { type: "saved", step: state.step, path };
}

function told({ run, state, total, plan }: Course, finished: boolean): Record<string, unknown> {
  const { options, sequences } = run;
  const facts = { options, sequences: sequences.length, max_steps: total, eval_steps: plan.every, finished };
  return trainerState(state, facts);
}
