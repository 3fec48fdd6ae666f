// The evaluation step: a run folder in, a report out. The base and the trained model answer for the same held-out
// requests, made of the newest commits of the history, packed as the run's own examples were. It can be stopped.

import { createHash } from "node:crypto";
import { cpus } from "node:os";
import { join } from "node:path";
import type { Adapter } from "../../adapters/adapter.ts";
import { UserError } from "../../base/errors.ts";
import { writeFileAtomic, writeJson } from "../../base/files.ts";
import type { OptionTable, Values } from "../../base/options.ts";
import type { Fitting } from "../../dataset/fitting.ts";
import { formats } from "../../dataset/format.ts";
import { promptRoom } from "../../dataset/pack.ts";
import { readExamples, readManifest } from "../../dataset/store.ts";
import {
  type Generated,
  type Likelihood,
  measureLikelihood,
  measureWriting,
} from "../../evaluation/evaluate.ts";
import { openDecoder } from "../../generation/answer-decoder.ts";
import { type Base, openBase } from "../../generation/base.ts";
import { openNetwork } from "../../training/network.ts";
import { openAdapterOf, openBaseOf } from "../base.ts";
import { withLock } from "../lock.ts";
import type { RunManifest } from "../run-folder.ts";
import { formatTable } from "../table.ts";
import { formatCount } from "../units.ts";
import { ARMS, type ArmName, type ArmState, type EvaluationState, openState } from "./evaluation-state.ts";
import type { Face } from "./face.ts";
import { type HeldOutItem, renderHeldOut } from "./render.ts";
import { lengthsOf, maxFilesOf } from "./writer.ts";

export const evaluateOptions = {
  samples: {
    type: "integer",
    default: 24,
    help: "Held-out requests that are written out, evenly over time",
    value: "N",
    least: 1,
  },
  likelihoods: {
    type: "integer",
    default: 100,
    help: "Held-out answers whose likelihood is measured",
    value: "N",
    least: 1,
  },
  max_new_tokens: { type: "integer", default: 256, help: "Longest answer, in tokens", value: "N", least: 1 },
} as const satisfies OptionTable;

export type EvaluateOptions = Values<typeof evaluateOptions>;

export type ArmReport = { readonly likelihood: Likelihood; readonly generated: Generated };

export type Report = {
  readonly version: 1;
  readonly run: string;
  readonly identity: string;
  readonly options: EvaluateOptions;
  readonly format: string;
  /** What is held out, in changes of one file: all, those that no arm was asked for and why, those in the requests
   * that can be; then these requests, those of them that show a window, and how many were measured. */
  readonly held_out: {
    readonly examples: number;
    readonly too_long: number;
    readonly outside: number;
    readonly inexpressible: number;
    readonly usable: number;
    readonly requests: number;
    readonly windowed: number;
    readonly measured: number;
  };
  readonly arms: Readonly<Record<ArmName, ArmReport>>;
};

type Job = { readonly folder: string; readonly run: RunManifest; readonly options: EvaluateOptions };

/** Measures both arms; writes `report.json` and every answer to `answers.jsonl` in the run's folder. */
export async function evaluationStep(job: Job, face: Face): Promise<Report> {
  warnOfChange(job.run, face);
  return withLock(job.folder, "or stop it", () => evaluate(job, face));
}

/** A later harvest may hold out what an earlier one trained on. */
function warnOfChange({ dataset, dataset_sha256 }: RunManifest, { progress }: Face): void {
  if (datasetHash(dataset) === dataset_sha256) return;
  progress.warn(
    "The dataset has changed since this run was trained: some held-out commits may be among those it learned from",
  );
}

function datasetHash(dataset: string): string {
  return createHash("sha256")
    .update(JSON.stringify(readManifest(dataset).sha256))
    .digest("hex");
}

async function evaluate({ folder, run, options }: Job, face: Face): Promise<Report> {
  const { samples, likelihoods, max_new_tokens } = options;
  const untrained = openBaseOf(run, folder);
  const trained = run.kind === "all" ? openBase(join(folder, "model")) : untrained;
  try {
    const adapter = openAdapterOf(run, folder, untrained);
    const rule = {
      tokenizer: untrained.tokenizer,
      format: formats[run.format],
      ...lengthsOf(run),
      max_files: maxFilesOf(run),
    };
    const held = await renderHeldOut(readExamples(run.dataset, "test"), rule, face);
    requireHeldOut(held, run);
    const work = {
      run,
      options,
      measured: spread(held.items, likelihoods),
      asked: spread(held.items, samples),
    };
    const state = openState(folder, keyOf(work));
    const arms = await measureArms(
      { untrained: { base: untrained, adapter: null }, trained: { base: trained, adapter } },
      { ...work, state },
      face,
    );
    const report: Report = {
      version: 1,
      run: folder,
      identity: run.identity,
      options: { samples, likelihoods, max_new_tokens },
      format: run.format,
      held_out: heldOutCounts(held, work.measured.length),
      arms,
    };
    const answers = ARMS.flatMap((arm) =>
      work.asked.map((_, i) => JSON.stringify({ arm, ...state.arms[arm].written.get(i) })),
    );
    writeFileAtomic(join(folder, "answers.jsonl"), answers.map((line) => `${line}\n`).join(""));
    writeJson(join(folder, "report.json"), report);
    state.done();
    return report;
  } finally {
    untrained.source.dispose();
    if (trained !== untrained) trained.source.dispose();
  }
}

/** What figures must have in common to stand in one report. */
function keyOf({ run, options, measured, asked }: Work): string {
  const { samples, likelihoods, max_new_tokens } = options;
  const names = [measured, asked].map((items) => items.map(({ name }) => name));
  const parts = [run.identity, datasetHash(run.dataset), samples, likelihoods, max_new_tokens, names];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function heldOutCounts(held: Fitting<HeldOutItem>, measured: number): Report["held_out"] {
  const { items, changes, tooLong, outside, inexpressible, windowed } = held;
  return {
    examples: changes,
    too_long: tooLong,
    outside,
    inexpressible,
    usable: changes - tooLong - outside - inexpressible,
    requests: items.length,
    windowed,
    measured,
  };
}

function requireHeldOut(
  { items, tooLong, outside }: Fitting<HeldOutItem>,
  { max_length }: RunManifest,
): void {
  if (items.length > 0) return;
  throw new UserError(
    `Expected held-out examples that fit in ${max_length} tokens, found none (${tooLong} are too long, ${outside} lie outside their window); train a run with a larger --max_length, or on more history`,
  );
}

type Arm = { readonly base: Base; readonly adapter: Adapter | null };
type Work = {
  readonly run: RunManifest;
  readonly options: EvaluateOptions;
  readonly measured: readonly HeldOutItem[];
  readonly asked: readonly HeldOutItem[];
};

/** Measures what is not measured yet; whatever ends it, what is measured is kept. */
async function measureArms(
  arms: Readonly<Record<ArmName, Arm>>,
  work: Work & { readonly state: EvaluationState },
  face: Face,
): Promise<Report["arms"]> {
  const { state } = work;
  const wanted = ARMS.length * (work.measured.length + work.asked.length);
  if (state.found > 0)
    face.progress.line(`Going on: ${formatCount(state.found)} of ${formatCount(wanted)} figures are there`);
  const stop = () =>
    face.progress.warn("Stopping after the current example; what is measured so far is kept");
  face.signal.addEventListener("abort", stop);
  const reports: Partial<Record<ArmName, ArmReport>> = {};
  try {
    for (const name of ARMS) {
      const arm = { name, ...arms[name], figures: state.arms[name] };
      const likelihood = await likelihoodOf(arm, work, face);
      reports[name] = { likelihood, generated: await writingOf(arm, work, face) };
    }
    return reports as Report["arms"];
  } finally {
    face.signal.removeEventListener("abort", stop);
    state.save(true);
  }
}

type Measuring = Arm & { readonly name: ArmName; readonly figures: ArmState };
type Stated = Work & { readonly state: EvaluationState };

async function likelihoodOf(
  { name, base, adapter, figures }: Measuring,
  { measured, state }: Stated,
  { progress, signal }: Face,
): Promise<Likelihood> {
  const device = { threads: cpus().length, arena: false };
  const { model, read } = base;
  const engine = lazily(() => openNetwork({ model, read, adapter, trainable: "none", device }));
  try {
    const events = measureLikelihood(engine.get, measured, { known: figures.losses, signal });
    for (;;) {
      const next = await events.next();
      if (next.done) return next.value;
      figures.losses.set(next.value.index, next.value.value);
      state.save(false);
      const done = figures.losses.size;
      progress.update({ label: `${name}: likelihood`, done, total: measured.length, unit: "answers" });
    }
  } finally {
    progress.finish();
    await engine.made()?.dispose();
  }
}

async function writingOf(
  { name, base, adapter, figures }: Measuring,
  { run, options, asked, state }: Stated,
  { progress, signal }: Face,
): Promise<Generated> {
  const { max_new_tokens } = options;
  const { model, read, tokenizer } = base;
  const capacity = Math.min(promptRoom(lengthsOf(run)) + max_new_tokens, model.max_position_embeddings);
  const device = { threads: cpus().length, arena: true };
  const decoder = lazily(() => openDecoder({ model, read, adapter, capacity, device }));
  // Answers are not broken off: what stops is asking for more.
  const rest = { tokenizer, format: formats[run.format], signal: new AbortController().signal };
  const writer = () => ({ decoder: decoder.get(), max_new_tokens, ...rest });
  try {
    const events = measureWriting(writer, asked, { known: figures.written, signal });
    for (;;) {
      const next = await events.next();
      if (next.done) return next.value;
      figures.written.set(next.value.index, next.value.value);
      state.save(true);
      const written = [...figures.written.values()];
      const exact = written.filter((item) => item.exact).length;
      const work = { label: `${name}: write`, done: written.length, total: asked.length, unit: "answers" };
      progress.update({ ...work, note: `${exact} exact` });
    }
  } finally {
    progress.finish();
    await decoder.made()?.dispose();
  }
}

/** Weights are not loaded for an arm of which everything is known. */
function lazily<T>(make: () => T): { get: () => T; made: () => T | undefined } {
  let made: T | undefined;
  const get = () => {
    made ??= make();
    return made;
  };
  return { get, made: () => made };
}

/** `count` items evenly over the list, which is in order of time. */
function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)]!);
}

/** The report as a table for people: one row a measure, one column an arm. */
export function describeReport({ arms, held_out }: Report): string[] {
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
  const row = (name: string, value: (arm: ArmReport) => string) => [
    name,
    value(arms.untrained),
    value(arms.trained),
  ];
  const rows = [
    row("bits per byte of the answer", ({ likelihood }) => likelihood.bits_per_byte.mean.toFixed(3)),
    row("log-likelihood of an answer", ({ likelihood }) => likelihood.log_likelihood.toFixed(1)),
    row("parsed", ({ generated }) => percent(generated.parsed)),
    row("applied", ({ generated }) => percent(generated.applied)),
    row(
      "exact result",
      ({ generated: { exact } }) =>
        `${percent(exact.mean)} (${percent(exact.low)} to ${percent(exact.high)})`,
    ),
    row("edit similarity", ({ generated }) => generated.edit_similarity.toFixed(3)),
    row("ROUGE-1", ({ generated }) => generated.rouge1.toFixed(3)),
    row("ROUGE-2", ({ generated }) => generated.rouge2.toFixed(3)),
    row("ROUGE-L", ({ generated }) => generated.rougeL.toFixed(3)),
  ];
  return [
    ...describeHeldOut(held_out, arms.trained.generated.requests),
    "",
    ...formatTable([{ title: "" }, { title: "untrained" }, { title: "trained" }], rows),
  ];
}

function describeHeldOut(held: Report["held_out"], written: number): string[] {
  const left = [
    [held.too_long, "too long"],
    [held.outside, "outside the window"],
    [held.inexpressible, "without words in this format"],
  ] as const;
  const reasons = left.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`);
  return [
    `Held out: the newest commits, ${formatCount(held.examples)} changed files` +
      (reasons.length > 0 ? ` (${reasons.join(", ")})` : ""),
    `Measured: ${formatCount(held.measured)} of ${formatCount(held.requests)} requests ` +
      `(${formatCount(held.windowed)} show a window of a long file), ${formatCount(written)} written out, ` +
      "in at most three times the tokens of the commit's answer",
  ];
}
