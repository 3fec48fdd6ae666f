// The training step: dataset and base in, run folder out. Everything that can be wrong is found before the first
// step; a run that was stopped goes on, one that is finished is left alone.

import { createHash } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import type { Adapter } from "../../adapters/adapter.ts";
import { createAdapter } from "../../adapters/create.ts";
import { openAdapter } from "../../adapters/open.ts";
import { requireSavable } from "../../adapters/save.ts";
import { UserError } from "../../base/errors.ts";
import { removeLeftoversBelow } from "../../base/files.ts";
import { createRandom } from "../../base/random.ts";
import { formats } from "../../dataset/format.ts";
import { type DatasetManifest, readExamples, readManifest } from "../../dataset/store.ts";
import { type Base, openBase } from "../../generation/base.ts";
import { collectGarbage } from "../../runtime/garbage.ts";
import { bucketOf } from "../../training/batch.ts";
import { hasCheckpoint } from "../../training/checkpoint.ts";
import type { Compute } from "../../training/engine.ts";
import { type Fit, fitsUnrounded } from "../../training/fit.ts";
import { type Network, openNetwork } from "../../training/network.ts";
import type { OptimizerName } from "../../training/optimizer.ts";
import { type Resolved, resolveOptions } from "../../training/options.ts";
import type { Packing } from "../../training/packing.ts";
import { type Plan, shapeOf } from "../../training/plan.ts";
import type { VocabularyForm } from "../../training/stages.ts";
import type { Storage } from "../../training/stored.ts";
import { train } from "../../training/train.ts";
import { vocabularyOf } from "../../training/vocabulary.ts";
import { requireClaim, runClaim } from "../claim.ts";
import { withLock } from "../lock.ts";
import { clearRun, findPlan, findRun, type RunManifest, type RunPlan, writePlan } from "../run-folder.ts";
import { ensureScratch, SCRATCH, SCRATCH_NOTE } from "../scratch.ts";
import {
  computeOf,
  explainPlan,
  planMemory,
  planPacking,
  prepareCompute,
  requireStorage,
} from "./compute.ts";
import { readCommits, writeCommits } from "./continuing.ts";
import { dryRun } from "./dry-run.ts";
import { ensureExtended } from "./extension.ts";
import type { Face } from "./face.ts";
import { follow } from "./following.ts";
import { planOf, requireSame } from "./identity.ts";
import type { TrainJob } from "./job.ts";
import { gatherMaterial, type Material, sayMaterial } from "./material.ts";
import { finishRun, letGo } from "./result.ts";

/** Trains, goes on, or finds the run finished; returns its manifest, or `null` after a dry run. */
export async function trainingStep(job: TrainJob, face: Face): Promise<RunManifest | null> {
  const since = performance.now();
  readManifest(job.dataset);
  return withLock(job.run, "or train another run with --run NAME", () => {
    // A kill while a model folder was written leaves a part of it below the run.
    removeLeftoversBelow(job.run);
    return trainAlone(job, since, face);
  });
}

async function trainAlone(job: TrainJob, since: number, face: Face): Promise<RunManifest | null> {
  requireClaim(job.run, runClaim);
  const dataset = readManifest(job.dataset);
  const kind = job.adapter ? "adapter" : "all";
  const options = resolveOptions(job.options, kind, job.continues !== null);
  const dataset_sha256 = sha256(JSON.stringify(dataset.sha256));
  const made = job.model === SCRATCH || job.extend_tokenizer !== null ? madeFolder(job, dataset) : null;
  const path = made ?? job.model;
  const parts = { job, kind, options, dataset_sha256, base: path } as const;
  const earlier = job.restart || job.dry_run ? null : findEarlier(job.run);
  // Before the base is made or read, for which another dataset or option would only be time lost.
  if (earlier) requireSame(job.run, earlier, planOf({ ...parts, base_sha256: "" }));
  if (made) await makeBase(job, { folder: made, seed: options.seed }, face);
  const base = openBase(path);
  try {
    const plan = planOf({ ...parts, base_sha256: base.source.hash() });
    requireBaseOfContinued(job, plan);
    if (earlier) requireSame(job.run, earlier, plan);
    const run = earlier?.finished ? findRun(job.run) : null;
    if (run) letGo(job.run, run);
    return run ?? (await trainFrom(base, { job, options, plan, since, goesOn: earlier !== null }, face));
  } finally {
    base.source.dispose();
    if (made && job.dry_run) rmSync(made, { recursive: true, force: true });
  }
}

/** What the folder holds that must not be lost by mistake: a finished run, or one with a checkpoint. */
function findEarlier(folder: string): (RunPlan & { finished: boolean }) | null {
  const run = findRun(folder);
  if (run) return { ...run, finished: true };
  const plan = hasCheckpoint(folder) ? findPlan(folder) : null;
  return plan && { ...plan, finished: false };
}

/** An adapter on other weights than it was trained on would compute something, and mean nothing. */
function requireBaseOfContinued({ continues, model }: TrainJob, { kind, base_sha256 }: RunPlan): void {
  const earlier = continues && findRun(continues.folder);
  if (!earlier || kind === "all" || earlier.base_sha256 === base_sha256) return;
  throw new UserError(
    `Expected the base that ${continues.folder} was trained on, ${earlier.base}, found other weights in ${model}; leave --model out, or train a new run on it without --continue_from`,
  );
}

/**
 * Where the scratch model of a dataset is made, or a base with an extended tokenizer: another history, seed or base gives
 * another one, under another name. That of a dry run is not kept.
 */
function madeFolder(
  { run, options, dry_run, model, extend_tokenizer }: TrainJob,
  dataset: DatasetManifest,
): string {
  if (dry_run) return join(tmpdir(), `codefudge-dry-${process.pid}`);
  const what = extend_tokenizer === null ? [options.seed] : [model, extend_tokenizer];
  const made = JSON.stringify([dataset.sha256[TRAIN_FILE], ...what]);
  return join(run, `base-${sha256(made).slice(0, 8)}`);
}

async function makeBase(
  { model, dataset, extend_tokenizer }: TrainJob,
  { folder, seed }: { readonly folder: string; readonly seed: number },
  { progress }: Face,
): Promise<void> {
  if (model === SCRATCH) {
    progress.line(SCRATCH_NOTE);
    ensureScratch(folder, readExamples(dataset, "train"), seed);
  } else {
    const line = await ensureExtended(model, { folder, words: extend_tokenizer ?? 0, dataset });
    if (line !== null) progress.line(line);
  }
}

const TRAIN_FILE = "train.jsonl";

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

type Known = {
  readonly job: TrainJob;
  readonly options: Resolved;
  readonly plan: RunPlan;
  readonly since: number;
  readonly goesOn: boolean;
};

async function trainFrom(base: Base, known: Known, face: Face): Promise<RunManifest | null> {
  const { job, options, plan } = known;
  const adapter = adapterOf(base, job, options);
  const compute = computeOf(base.model, options);
  const { max_in_len, max_out_len } = options;
  const storage = requireStorage(base.model, options);
  const dials = { compute, storage, max_in_len, label_smoothing: options.label_smoothing_factor };
  const shape = { ...shapeOf(base.model, adapter, options.optim as OptimizerName), ...dials };
  const fit = planMemory({ shape, adapter }, options);
  const { sizes, kept } = fit;
  const { max_length, streams } = sizes;
  const rule = {
    tokenizer: base.tokenizer,
    format: formats[job.format],
    ...{ max_length, max_in_len, max_out_len },
    max_files: job.max_files,
  };
  const material = await gatherMaterial(job, rule, face);
  // Texts that were read are garbage by now, and their memory is what the network needs.
  collectGarbage();
  requireUnchanged(job.dataset, plan);
  sayMaterial(material, sizes, face);
  const packing = planPacking({ model: base.model, material, max_length }, options);
  if (options.explain_plan) {
    const used = { ...dials, ...dialsOf(sizes, { compute, storage }) };
    const vocabulary = vocabularyIn(base, adapter, used);
    sayPlan(explainPlan(sizes, { ...kept, packing, storage, compute, vocabulary }), face);
  }
  const streams_f32 = !fitsUnrounded(shape, fit, options.memory);
  const planned = { adapter, options, fit, packing, streams_f32, dials: { compute, storage } };
  const engine = openPlanned(base, planned);
  const sayNoMore = sayOnAbort(face);
  try {
    if (!streams) await prepareCompute({ engine, compute, material, streams_f32 }, face);
    if (job.dry_run) {
      const { tokenizer } = base;
      await dryRun({ engine, material, options, plan: sizes, tokenizer, since: known.since }, face);
      return null;
    }
    // Nothing can be wrong from here on but the machine: only now may what was there before go.
    if (!known.goesOn) beginRun(job.run, plan);
    const finished = await follow(train(trainRun({ ...known, base, engine, material, sizes }, face)), face);
    writeCommits(job.run, [...commitsBefore(job), ...material.train.map(({ commit }) => commit)]);
    return await finishRun({ job, plan, options, base, adapter, engine, material, sizes, finished });
  } finally {
    sayNoMore();
    await engine.dispose();
  }
}

type Planned = {
  readonly adapter: Adapter | null;
  readonly options: Resolved;
  readonly fit: Fit;
  readonly streams_f32: boolean;
  readonly packing: Packing | null;
  readonly dials: { readonly compute: Compute; readonly storage: Storage };
};

/** The network as it was planned. */
function openPlanned(base: Base, { adapter, options, fit, packing, streams_f32, dials }: Planned): Network {
  const { sizes, kept, held_rows } = fit;
  const holdsAsRead = dials.compute === "f32" && dials.storage === "f32" && !sizes.streams;
  const { keeping, kept_layers, once = false, halved = false, staying, alone = false } = kept;
  return openNetwork({
    model: base.model,
    // What is rounded is read once and not kept as it was.
    read: holdsAsRead ? base.read : (name) => base.source.read(name),
    adapter,
    trainable: adapter ? "adapter" : "all",
    label_smoothing: options.label_smoothing_factor,
    ...dialsOf(sizes, dials),
    rows: sizes.batch * bucketOf(sizes.max_length),
    ...{ keeping, kept_layers, once, halved, staying, alone, packing, held_rows },
    streams_f32,
    device: { threads: options.threads || cpus().length, arena: sizes.arena },
  });
}

/** Weights that are read anew are f32. */
function dialsOf({ streams }: Plan, dials: { compute: Compute; storage: Storage }) {
  return streams ? ({ streams, compute: "f32", storage: "f32" } as const) : dials;
}

function sayPlan(lines: readonly string[], { progress }: Face): void {
  for (const line of lines) progress.line(line);
}

type Used = { readonly compute: Compute; readonly label_smoothing: number };

/** How the matrices of the vocabulary are held: as they are where it is not a decoder's. */
function vocabularyIn({ model }: Base, adapter: Adapter | null, used: Used): VocabularyForm {
  return model.kind === "decoder" ? vocabularyOf({ trainable: adapter ? "adapter" : "all", ...used }) : "f32";
}

/** Tells who presses Ctrl-C what is waited for, until the function that it returns is called. */
function sayOnAbort({ signal, progress }: Face): () => void {
  const say = () => progress.line("Stopping after the current step");
  signal.addEventListener("abort", say, { once: true });
  return () => signal.removeEventListener("abort", say);
}

/** A fresh adapter, or that of the run that is continued; `null` where every weight is trained. */
function adapterOf(base: Base, { adapter, continues }: TrainJob, { seed }: Resolved): Adapter | null {
  if (adapter === null) return null;
  if (continues) return openAdapter(continues.folder, base);
  requireSavable(adapter, base.model);
  return createAdapter(adapter, base, createRandom(seed));
}

type Ready = Known & {
  readonly base: Base;
  readonly engine: Network;
  readonly material: Material;
  readonly sizes: Plan;
};

function trainRun({ job, options, plan, since, base, engine, material, sizes }: Ready, { signal }: Face) {
  const sequences = (items: Material["train"]) => items.map(({ rendered }) => rendered);
  return {
    engine,
    sequences: sequences(material.train),
    validation: sequences(material.validation),
    older: sequences(material.older),
    options,
    batch: sizes.batch,
    folder: job.run,
    identity: plan.identity,
    signal,
    nameOf: (index: number) => material.train[index]!.name,
    end: base.tokenizer.eosId,
    since,
  };
}

function commitsBefore({ continues }: TrainJob): Iterable<string> {
  return continues ? readCommits(continues.folder) : [];
}

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
