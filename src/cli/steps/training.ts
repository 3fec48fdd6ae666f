// The training step: dataset and base in, run folder out. Everything that can be wrong is found before the first
// step; a run that was stopped goes on, one that is finished is left alone.

import { createHash } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import type { Adapter } from "../../adapters/adapter.ts";
import { createLora } from "../../adapters/lora.ts";
import { writePeft } from "../../adapters/peft.ts";
import { UserError } from "../../base/errors.ts";
import { createRandom } from "../../base/random.ts";
import type { Fitting } from "../../dataset/fitting.ts";
import { formats } from "../../dataset/format.ts";
import { type DatasetManifest, readExamples, readManifest } from "../../dataset/store.ts";
import { type Base, openBase } from "../../generation/base.ts";
import { hasCheckpoint, removeCheckpoints } from "../../training/checkpoint.ts";
import { Engine } from "../../training/engine.ts";
import { type Resolved, resolveOptions } from "../../training/options.ts";
import { type Plan, planTraining, trainedCount } from "../../training/plan.ts";
import { type TrainEvent, train } from "../../training/train.ts";
import { writeModelFolder } from "../../weights/folder.ts";
import { withLock } from "../lock.ts";
import { ensureScratch, SCRATCH, SCRATCH_NOTE } from "../scratch.ts";
import { formatBytes, formatCount, formatDuration } from "../units.ts";
import {
  clearRun,
  findPlan,
  findRun,
  type RunManifest,
  type RunPlan,
  writePlan,
  writeRun,
} from "../workspace.ts";
import type { Face } from "./face.ts";
import { planOf, requireSame } from "./identity.ts";
import type { TrainJob } from "./job.ts";
import { renderStep } from "./render.ts";

/** Trains, goes on, or finds the run finished; returns its manifest. */
export async function trainingStep(job: TrainJob, face: Face): Promise<RunManifest> {
  readManifest(job.dataset);
  return withLock(job.run, "or train another run with --run NAME", () => trainAlone(job, face));
}

async function trainAlone(job: TrainJob, face: Face): Promise<RunManifest> {
  const dataset = readManifest(job.dataset);
  const kind = job.method === "full" ? "all" : "adapter";
  const options = resolveOptions(job.options, kind);
  const dataset_sha256 = sha256(JSON.stringify(dataset.sha256));
  const path = job.model === SCRATCH ? scratchFolder(job, dataset) : job.model;
  const parts = { job, kind, options, dataset_sha256, base: path } as const;
  const earlier = job.restart ? null : findEarlier(job.run);
  // Before the base is made or read, for which another dataset or option would only be time lost.
  if (earlier) requireSame(job.run, earlier, planOf({ ...parts, base_sha256: "" }));
  if (job.model === SCRATCH) {
    face.progress.line(SCRATCH_NOTE);
    ensureScratch(path, readExamples(job.dataset, "train"), options.seed);
  }
  const base = openBase(path);
  try {
    const plan = planOf({ ...parts, base_sha256: base.source.hash() });
    if (earlier) requireSame(job.run, earlier, plan);
    const run = earlier?.finished ? findRun(job.run) : null;
    return run ?? (await trainFrom(base, { job, options, plan, goesOn: earlier !== null }, face));
  } finally {
    base.source.dispose();
  }
}

/** What the folder holds that must not be lost by mistake: a finished run, or one with a checkpoint. */
function findEarlier(folder: string): (RunPlan & { finished: boolean }) | null {
  const run = findRun(folder);
  if (run) return { ...run, finished: true };
  const plan = hasCheckpoint(folder) ? findPlan(folder) : null;
  return plan && { ...plan, finished: false };
}

/** Where the scratch model of a dataset is made: another history or seed gives another one, under another name. */
function scratchFolder({ run, options }: TrainJob, dataset: DatasetManifest): string {
  const made = JSON.stringify([dataset.sha256[TRAIN_FILE], options.seed]);
  return join(run, `base-${sha256(made).slice(0, 8)}`);
}

const TRAIN_FILE = "train.jsonl";

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

type Known = {
  readonly job: TrainJob;
  readonly options: Resolved;
  readonly plan: RunPlan;
  readonly goesOn: boolean;
};

async function trainFrom(base: Base, known: Known, face: Face): Promise<RunManifest> {
  const { job, options, plan } = known;
  const adapter =
    plan.kind === "adapter"
      ? createLora({ kind: "lora", ...job.lora }, base.model, createRandom(options.seed))
      : null;
  const sizes = planTraining(
    { model: base.model, trained: trainedCount(base.model, adapter), adapter: adapter !== null },
    options,
  );
  const render = { tokenizer: base.tokenizer, format: formats[job.format], max_length: sizes.max_length };
  const data = await renderStep(readExamples(job.dataset, "train"), render, face);
  const held = await renderStep(readExamples(job.dataset, "validation"), render, face);
  requireExamples(data, sizes);
  requireUnchanged(job.dataset, plan);
  sayPlan(sizes, data, face);
  const device = { threads: options.threads || cpus().length, arena: sizes.arena };
  const trainable = adapter ? "adapter" : "all";
  const engine = new Engine({ model: base.model, read: base.read, adapter, trainable, device });
  // Nothing can be wrong from here on but the machine: only now may what was there before go.
  if (!known.goesOn) beginRun(job.run, plan);
  try {
    const events = train({
      engine,
      sequences: data.items.map((item) => item.rendered),
      validation: held.items.slice(-VALIDATION).map((item) => item.rendered),
      options,
      batch: sizes.batch,
      folder: job.run,
      identity: plan.identity,
      signal: face.signal,
    });
    const progress = await follow(events, face);
    writeResult(job.run, { base, adapter, engine });
    const { losses, ...rest } = progress;
    const manifest: RunManifest = {
      ...plan,
      max_length: sizes.max_length,
      examples: { train: data.items.length, validation: held.items.length, too_long: data.tooLong },
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
const VALIDATION = 16;

/** Clears the folder of an earlier run, its scratch models but this one's included, and says what this one is. */
function beginRun(folder: string, plan: RunPlan): void {
  clearRun(folder);
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (/^base-[0-9a-f]{8}$/.test(name) && path !== plan.base) rmSync(path, { recursive: true, force: true });
  }
  writePlan(folder, plan);
}

/** The dataset's files are read after its manifest; a history step between the two would mix an old and a new one. */
function requireUnchanged(folder: string, plan: RunPlan): void {
  if (sha256(JSON.stringify(readManifest(folder).sha256)) === plan.dataset_sha256) return;
  throw new UserError(
    `Expected ${folder} to stay as it is, found it changed while it was read; run this again`,
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
