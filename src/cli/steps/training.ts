// The training step: dataset and base in, run folder out. Everything that can be wrong is found before the first
// step; a run that was stopped goes on, one that is finished is left alone.

import { createHash } from "node:crypto";
import { cpus } from "node:os";
import { join } from "node:path";
import { createLora, type LoraOptions } from "../../adapters/lora.ts";
import { writePeft } from "../../adapters/peft.ts";
import type { Adapter } from "../../adapters/target.ts";
import { UserError } from "../../base/errors.ts";
import { createRandom } from "../../base/random.ts";
import { type FormatName, formats } from "../../dataset/format.ts";
import { readExamples, readManifest } from "../../dataset/store.ts";
import { removeCheckpoints } from "../../training/checkpoint.ts";
import { Engine } from "../../training/engine.ts";
import { type Resolved, resolveOptions, type TrainOptions } from "../../training/options.ts";
import { type Plan, planTraining, trainedCount } from "../../training/plan.ts";
import { type TrainEvent, train } from "../../training/train.ts";
import { writeModelFolder } from "../../weights/folder.ts";
import { type Base, openBase } from "../base.ts";
import { ensureScratch, SCRATCH, SCRATCH_NOTE } from "../scratch.ts";
import { formatBytes, formatCount, formatDuration } from "../units.ts";
import { findRun, type RunManifest, writeRun } from "../workspace.ts";
import type { Face } from "./face.ts";
import { type Fitting, renderFitting } from "./render.ts";

export type TrainJob = {
  readonly dataset: string;
  readonly run: string;
  /** Where the scratch model is made when `model` is scratch. */
  readonly scratch: string;
  readonly model: string;
  readonly format: FormatName;
  readonly method: "lora" | "full";
  readonly lora: LoraOptions;
  readonly options: TrainOptions;
  readonly restart: boolean;
};

/** Trains, goes on, or finds the run finished; returns its manifest. */
export async function trainingStep(job: TrainJob, face: Face): Promise<RunManifest> {
  const manifest = readManifest(job.dataset);
  const basePath = job.model === SCRATCH ? job.scratch : job.model;
  if (job.model === SCRATCH) {
    face.progress.line(SCRATCH_NOTE);
    ensureScratch(job.scratch, readExamples(job.dataset, "train"), job.options.seed);
  }
  const base = openBase(basePath);
  try {
    const kind = job.method === "full" ? "all" : "adapter";
    const options = resolveOptions(job.options, kind);
    const dataset_sha256 = createHash("sha256").update(JSON.stringify(manifest.sha256)).digest("hex");
    const base_sha256 = base.source.hash();
    const identity = identify({ job, options, dataset_sha256, base_sha256 });
    const found = job.restart ? null : findRun(job.run);
    if (found) return requireSame(found, identity, job);
    if (job.restart) removeCheckpoints(job.run);
    const known = {
      kind,
      dataset_sha256,
      base_sha256,
      identity,
      base: basePath,
      dataset: job.dataset,
    } as const;
    return await trainFrom(base, { job, options, known }, face);
  } finally {
    base.source.dispose();
  }
}

type Known = Pick<RunManifest, "kind" | "dataset_sha256" | "base_sha256" | "identity" | "base" | "dataset">;

async function trainFrom(
  base: Base,
  { job, options, known }: { job: TrainJob; options: Resolved; known: Known },
  face: Face,
): Promise<RunManifest> {
  const adapter =
    known.kind === "adapter"
      ? createLora({ kind: "lora", ...job.lora }, base.model, createRandom(options.seed))
      : null;
  const plan = planTraining(
    { model: base.model, trained: trainedCount(base.model, adapter), adapter: adapter !== null },
    options,
  );
  const render = { tokenizer: base.tokenizer, format: formats[job.format], max_length: plan.max_length };
  const data = await renderFitting(readExamples(job.dataset, "train"), render, { ...face, label: "tokens" });
  const held = await renderFitting(readExamples(job.dataset, "validation"), render, {
    ...face,
    label: "tokens",
  });
  requireExamples(data, plan);
  sayPlan(plan, data, face);
  const device = { threads: options.threads || cpus().length, arena: plan.arena };
  const trainable = adapter ? "adapter" : "all";
  const engine = new Engine({ model: base.model, read: base.read, adapter, trainable, device });
  try {
    const events = train({
      engine,
      sequences: data.items.map((item) => item.rendered),
      validation: held.items.slice(-VALIDATION).map((item) => item.rendered),
      options,
      batch: plan.batch,
      folder: job.run,
      identity: known.identity,
      signal: face.signal,
    });
    const progress = await follow(events, face);
    writeResult(job.run, { base, adapter, engine });
    const { losses, ...rest } = progress;
    const manifest: RunManifest = {
      version: 1,
      ...known,
      format: job.format,
      max_length: plan.max_length,
      examples: { train: data.items.length, validation: held.items.length, too_long: data.tooLong },
      options: { ...options, method: job.method, ...(adapter ? job.lora : {}) },
      progress: { ...rest, first_loss: losses[0], last_loss: losses.at(-1) },
    };
    writeRun(job.run, manifest);
    removeCheckpoints(job.run);
    return manifest;
  } finally {
    await engine.dispose();
  }
}

/** Held-out examples that are measured while training: the newest of the validation split. */
const VALIDATION = 24;

/** What must be the same for a run to go on; how often it is saved need not be. */
function identify(parts: {
  job: TrainJob;
  options: Resolved;
  dataset_sha256: string;
  base_sha256: string;
}): string {
  const { job, options, dataset_sha256, base_sha256 } = parts;
  const { save_steps: _, ...rest } = options;
  const text = JSON.stringify([job.format, job.method, job.lora, rest, dataset_sha256, base_sha256]);
  return createHash("sha256").update(text).digest("hex");
}

function requireSame(found: RunManifest, identity: string, job: TrainJob): RunManifest {
  if (found.identity === identity) return found;
  throw new UserError(
    `Expected the options, data and base of the finished run in ${job.run}, found others; use --run NAME for another run or --restart to replace this one`,
  );
}

function requireExamples(data: Fitting, plan: Plan): void {
  if (data.items.length > 0) return;
  throw new UserError(
    data.tooLong > 0
      ? `Expected training examples of at most ${plan.max_length} tokens, found ${data.tooLong} that are all longer; give a larger --max_length`
      : "Expected training examples, found none in the dataset; a repository with more changes to text files is needed",
  );
}

function sayPlan(plan: Plan, data: Fitting, { progress }: Face): void {
  const tokens = data.items.reduce((n, item) => n + item.rendered.ids.length, 0);
  progress.line(
    `${formatCount(data.items.length)} training examples, ${formatCount(tokens)} tokens; ` +
      `${formatCount(data.tooLong)} longer than ${formatCount(plan.max_length)} tokens are left out; ` +
      `memory about ${formatBytes(plan.memory)}`,
  );
}

type Finished = Extract<TrainEvent, { type: "finished" }>["progress"];

/** Shows events as they come. */
async function follow(events: AsyncGenerator<TrainEvent, Finished>, face: Face): Promise<Finished> {
  let validated = "";
  let tokens = 0;
  let seconds = 0;
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
    const event = next.value;
    if (face.json && event.type !== "finished") face.out.json(event);
    if (event.type === "validated") {
      validated = `, held-out ${event.loss.toFixed(3)}`;
      face.progress.line(`step ${event.step}: held-out loss ${event.loss.toFixed(3)}`);
    }
    if (event.type === "step") {
      tokens += event.tokens;
      seconds += event.seconds;
      const total = Math.max(event.step, Math.round(event.step / Math.max(event.done, 1e-9)));
      const note = `loss ${event.loss.toFixed(3)}${validated}, ${Math.round(tokens / seconds)} tokens/s`;
      face.progress.update({ label: "train", done: event.step, total, unit: "steps", note });
    }
    if (event.type === "finished") {
      face.progress.finish();
      face.progress.line(`trained ${event.progress.step} steps in ${formatDuration(event.progress.seconds)}`);
    }
  }
}

function writeResult(
  run: string,
  { base, adapter, engine }: { base: Base; adapter: Adapter | null; engine: Engine },
): void {
  if (adapter) {
    writePeft(run, adapter, { base_model_name_or_path: base.source.name });
    return;
  }
  const tokenizerFiles = base.tokenizer.files();
  writeModelFolder(join(run, "model"), {
    config: base.source.config,
    arrays: engine.trained,
    tokenizerFiles,
  });
}

/** A run's outcome as rows of a table. */
export function describeRun(folder: string, run: RunManifest): (readonly [string, string])[] {
  const { step, seconds, first_loss, last_loss } = run.progress as Record<string, number>;
  return [
    ["run", folder],
    ["trained", run.kind === "adapter" ? "LoRA adapter (PEFT files)" : "every weight (model folder)"],
    ["steps", `${formatCount(step!)} in ${formatDuration(seconds!)}`],
    ["loss", `${first_loss!.toFixed(3)} at the first step, ${last_loss!.toFixed(3)} at the last`],
  ];
}
