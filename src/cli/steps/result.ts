// What a training run leaves: the adapter or model, its curve, and a manifest, which is written last.

import { cpus } from "node:os";
import { join } from "node:path";
import type { Adapter } from "../../adapters/adapter.ts";
import { modelCard } from "../../adapters/card.ts";
import { saveAdapter } from "../../adapters/save.ts";
import { writeFileAtomic, writeJson } from "../../base/files.ts";
import type { Base } from "../../generation/base.ts";
import { everyParameter } from "../../models/encoder-decoder.ts";
import type { Sequence } from "../../training/batch.ts";
import { removeCheckpoints } from "../../training/checkpoint.ts";
import type { Network } from "../../training/network.ts";
import type { Resolved } from "../../training/options.ts";
import { seenBy } from "../../training/order.ts";
import type { Plan } from "../../training/plan.ts";
import { bestOf } from "../../training/progress.ts";
import { checkSaved } from "../../training/selfcheck.ts";
import { writeModelFolder } from "../../weights/folder.ts";
import { originOf } from "../../weights/hub-cache.ts";
import { type RunManifest, type RunOutcome, type RunPlan, writeRun } from "../run-folder.ts";
import { formatCount, formatDuration } from "../units.ts";
import type { Finished } from "./following.ts";
import type { TrainJob } from "./job.ts";
import type { Material } from "./material.ts";

type Made = { readonly base: Base; readonly adapter: Adapter | null; readonly engine: Network };

type Ended = Made & {
  readonly job: TrainJob;
  readonly plan: RunPlan;
  readonly options: Resolved;
  readonly material: Material;
  readonly sizes: Plan;
  readonly finished: Finished;
};

/** Writes what was trained and the run's manifest, and lets go of its checkpoints. */
export async function finishRun(ended: Ended): Promise<RunManifest> {
  const { job, plan, material, sizes, finished } = ended;
  await writeResult(ended);
  writeJson(join(job.run, "trainer_state.json"), finished.told);
  const manifest: RunManifest = {
    ...plan,
    max_length: sizes.max_length,
    examples: {
      train: material.train.length,
      validation: material.validation.length,
      too_long: material.tooLong,
      old: material.old,
    },
    progress: outcomeOf(finished),
  };
  if (plan.adapter) writeFileAtomic(join(job.run, "README.md"), cardOf(ended, manifest));
  writeRun(job.run, manifest);
  letGo(job.run, plan);
  return manifest;
}

/** Removes what a finished run has no more need of; the start after a kill does it, where that came before. */
export function letGo(folder: string, { options }: RunPlan): void {
  if (options.save_total_limit === null) removeCheckpoints(folder);
}

/** The model card of an adapter. */
function cardOf({ job, options, base, adapter, material: { train } }: Ended, run: RunManifest): string {
  // A run that a clock or a number of steps ends has not seen everything.
  const seen = seenBy(options, train.length, run.progress.step);
  const commits = [...new Set(train.filter((_, index) => seen.has(index)).map(({ commit }) => commit))];
  const { step, seconds, last_loss, base_loss, best } = run.progress;
  const { learning_rate, lr_scheduler_type, optim, seed } = run.options as Record<string, string | number>;
  return modelCard({
    config: adapter!.config,
    name: NAME,
    base: { ...publicName(base), model_type: base.model.model_type, sha256: run.base_sha256 },
    data: {
      commits: { first: commits[0]!, last: commits.at(-1)!, count: commits.length },
      examples: { seen: seen.size, all: train.length },
      sha256: run.dataset_sha256,
    },
    training: {
      ...{ steps: step, seconds: Math.round(seconds), max_length: run.max_length, format: run.format },
      ...{ learning_rate: learning_rate!, lr_scheduler_type: lr_scheduler_type!, optim: optim!, seed: seed! },
    },
    metrics: {
      "loss at the last step": round(last_loss),
      ...(base_loss === null ? {} : { "held-out loss before training": round(base_loss) }),
      ...(best === null ? {} : { "held-out loss": round(best.loss) }),
    },
    version: job.version,
  });
}

/** A model of the hub's cache by its name and commit there, which say on another machine what a path does not. */
function publicName({ source: { name } }: Base): { name: string; revision?: string } {
  const origin = originOf(name);
  return origin ? { name: origin.repo, revision: origin.commit } : { name };
}

function round(loss: number): number {
  return Number(loss.toFixed(4));
}

/** As users of AdapterHub call the adapter. */
const NAME = "codefudge";

function outcomeOf({ progress, reason }: Finished): RunOutcome {
  const { step, tokens, targets, seconds, started, losses, evaluations } = progress;
  const base = evaluations.find((evaluation) => evaluation.step === 0);
  const best = bestOf(evaluations);
  return {
    ...{ step, tokens, targets, seconds, started },
    first_loss: losses[0]!,
    last_loss: losses.at(-1)!,
    base_loss: base?.loss ?? null,
    best: best && { step: best.step, loss: best.loss },
    reason,
  };
}

/** An adapter's files are read back and held against what was trained. */
async function writeResult({ job, plan, base, adapter, engine, material, sizes }: Ended): Promise<void> {
  const { run } = job;
  if (adapter) {
    const { model } = base;
    const { name, ...revision } = publicName(base);
    const facts = { model, name: NAME, base: name, ...revision, base_sha256: plan.base_sha256 };
    const folders = saveAdapter(run, adapter, facts);
    const sequence = shortest(material.train.map(({ rendered }) => rendered));
    const device = { threads: job.options.threads || cpus().length, arena: sizes.arena };
    await checkSaved({ folders, model, read: base.read, engine, sequence, device });
    return;
  }
  const tokenizerFiles = base.tokenizer.files();
  writeModelFolder(join(run, "model"), {
    config: base.source.config,
    arrays: wholeModel(base, engine),
    tokenizerFiles,
  });
}

/** Every array of the model: those that nothing of a run goes through are the base's. */
function wholeModel({ model, read }: Base, { trained }: Network) {
  return new Map(
    everyParameter(model).map(({ name, shape }) => [name, trained.get(name) ?? { shape, data: read(name) }]),
  );
}

function shortest(sequences: readonly Sequence[]): Sequence {
  return sequences.reduce((a, b) => (b.ids.length < a.ids.length ? b : a));
}

/** A run's outcome as rows of a table. */
export function describeRun(folder: string, run: RunManifest): (readonly [string, string])[] {
  const { step, seconds, first_loss, last_loss, base_loss, best } = run.progress;
  const held = best === null ? "not measured" : `${best.loss.toFixed(3)} at step ${formatCount(best.step)}`;
  return [
    ["run", folder],
    ["trained", describeKind(run)],
    ["steps", `${formatCount(step)} in ${formatDuration(seconds)}`],
    ["loss", `${first_loss.toFixed(3)} at the first step, ${last_loss.toFixed(3)} at the last`],
    ["held-out loss", base_loss === null ? held : `${base_loss.toFixed(3)} before, ${held}`],
  ];
}

/** What a run trains, in words. */
export function describeKind({ kind, adapter }: RunPlan): string {
  if (kind === "all") return "every weight (model folder)";
  return adapter?.kind === "bottleneck" ? "bottleneck adapter" : "LoRA adapter (PEFT files)";
}
