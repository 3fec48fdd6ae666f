// The evaluation step: a run folder in, a report out. The base and the trained model answer for the same held-out
// examples, the newest commits of the history.

import { createHash } from "node:crypto";
import { cpus } from "node:os";
import { join } from "node:path";
import type { Adapter } from "../../adapters/adapter.ts";
import { requireMatch } from "../../adapters/match.ts";
import { readPeft } from "../../adapters/peft.ts";
import { UserError } from "../../base/errors.ts";
import { writeFileAtomic, writeJson } from "../../base/files.ts";
import type { OptionTable, Values } from "../../base/options.ts";
import type { FittingExample } from "../../dataset/fitting.ts";
import { formats } from "../../dataset/format.ts";
import { readExamples, readManifest } from "../../dataset/store.ts";
import {
  type Generated,
  type Likelihood,
  measureLikelihood,
  measureWriting,
  type Written,
} from "../../evaluation/evaluate.ts";
import { type Base, openBase } from "../../generation/base.ts";
import { Decoder } from "../../generation/decoder.ts";
import { Engine } from "../../training/engine.ts";
import { openBaseOf } from "../base.ts";
import { withLock } from "../lock.ts";
import { formatTable } from "../table.ts";
import { formatCount } from "../units.ts";
import type { RunManifest } from "../workspace.ts";
import type { Face } from "./face.ts";
import { renderStep } from "./render.ts";

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
  /** Held-out examples in all, and those longer than the run's length, which no arm was asked. */
  readonly held_out: { readonly examples: number; readonly too_long: number; readonly measured: number };
  readonly arms: { readonly untrained: ArmReport; readonly trained: ArmReport };
};

type Job = { readonly folder: string; readonly run: RunManifest; readonly options: EvaluateOptions };

/** Measures both arms; writes `report.json` and every answer to `answers.jsonl` in the run's folder. */
export async function evaluationStep(job: Job, face: Face): Promise<Report> {
  warnOfChange(job.run, face);
  return withLock(job.folder, "or stop it", () => evaluate(job, face));
}

/** A later harvest may hold out what an earlier one trained on. */
function warnOfChange({ dataset, dataset_sha256 }: RunManifest, { progress }: Face): void {
  const now = createHash("sha256")
    .update(JSON.stringify(readManifest(dataset).sha256))
    .digest("hex");
  if (now === dataset_sha256) return;
  progress.warn(
    "The dataset has changed since this run was trained: some held-out commits may be among those it learned from",
  );
}

async function evaluate({ folder, run, options }: Job, face: Face): Promise<Report> {
  const { samples, likelihoods, max_new_tokens } = options;
  const untrained = openBaseOf(run, folder);
  const trained = run.kind === "all" ? openBase(join(folder, "model")) : untrained;
  const adapter = run.kind === "adapter" ? readPeft(folder) : null;
  try {
    if (adapter) requireMatch(adapter, untrained.model);
    const render = {
      tokenizer: untrained.tokenizer,
      format: formats[run.format],
      max_length: run.max_length,
    };
    const examples = readExamples(run.dataset, "test");
    const { items, tooLong } = await renderStep(examples, render, face);
    requireHeldOut(items.length, tooLong, run);
    const measured = spread(items, likelihoods);
    const asked = spread(items, samples);
    const arms: Record<string, ArmReport> = {};
    const answers: string[] = [];
    for (const [name, base, own] of [
      ["untrained", untrained, null],
      ["trained", trained, adapter],
    ] as const) {
      const arm = { name, base, adapter: own };
      const likelihood = await likelihoodOf(arm, measured, face);
      const { generated, written } = await writingOf(arm, { asked, run, options }, face);
      arms[name] = { likelihood, generated };
      answers.push(...written.map((item) => JSON.stringify({ arm: name, ...item })));
    }
    const report: Report = {
      version: 1,
      run: folder,
      identity: run.identity,
      options: { samples, likelihoods, max_new_tokens },
      format: run.format,
      held_out: { examples: items.length + tooLong, too_long: tooLong, measured: measured.length },
      arms: { untrained: arms.untrained!, trained: arms.trained! },
    };
    writeFileAtomic(join(folder, "answers.jsonl"), answers.map((line) => `${line}\n`).join(""));
    writeJson(join(folder, "report.json"), report);
    return report;
  } finally {
    untrained.source.dispose();
    if (trained !== untrained) trained.source.dispose();
  }
}

function requireHeldOut(count: number, tooLong: number, { max_length }: RunManifest): void {
  if (count > 0) return;
  throw new UserError(
    `Expected held-out examples of at most ${max_length} tokens, found none (${tooLong} are longer); train a run with a larger --max_length, or on more history`,
  );
}

type Arm = { readonly name: string; readonly base: Base; readonly adapter: Adapter | null };

async function likelihoodOf(
  { name, base, adapter }: Arm,
  heldOut: readonly FittingExample[],
  face: Face,
): Promise<Likelihood> {
  face.progress.line(`${name}: likelihood of ${heldOut.length} held-out answers`);
  const device = { threads: cpus().length, arena: false };
  const engine = new Engine({ model: base.model, read: base.read, adapter, trainable: "none", device });
  try {
    return await measureLikelihood(engine, heldOut, face.signal);
  } finally {
    await engine.dispose();
  }
}

async function writingOf(
  { name, base, adapter }: Arm,
  { asked, run, options }: { asked: readonly FittingExample[]; run: RunManifest; options: EvaluateOptions },
  face: Face,
): Promise<{ generated: Generated; written: Written[] }> {
  const decoder = new Decoder({
    model: base.model,
    read: base.read,
    adapter,
    capacity: run.max_length + options.max_new_tokens,
    device: { threads: cpus().length, arena: true },
  });
  const { tokenizer } = base;
  const format = formats[run.format];
  const writer = { decoder, tokenizer, format, max_new_tokens: options.max_new_tokens, signal: face.signal };
  const written: Written[] = [];
  try {
    const events = measureWriting(
      writer,
      asked.map((item) => item.example),
    );
    for (;;) {
      const next = await events.next();
      if (next.done) return { generated: next.value, written };
      written.push(next.value);
      const exact = written.filter((item) => item.exact).length;
      const work = { label: `${name}: write`, done: written.length, total: asked.length, unit: "answers" };
      face.progress.update({ ...work, note: `${exact} exact` });
    }
  } finally {
    face.progress.finish();
    await decoder.dispose();
  }
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
  const { measured, examples, too_long } = held_out;
  return [
    `Held out: the newest commits, ${formatCount(examples)} examples (${formatCount(too_long)} too long); ` +
      `${formatCount(measured)} measured, ${formatCount(arms.trained.generated.requests)} written out`,
    "",
    ...formatTable([{ title: "" }, { title: "untrained" }, { title: "trained" }], rows),
  ];
}
