// codefudge cook: everything in one command. History, training, evaluation, and one held-out request as an example
// of what the run now writes. What is there already and still true is not done again.

import { existsSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { readJson } from "../../base/files.ts";
import { hasManifest, readManifest } from "../../dataset/store.ts";
import { type HistoryOptions, historyOptions, pickHistoryOptions } from "../../history/options.ts";
import { createSample } from "../../history/sample.ts";
import { findRepository, type Repository } from "../../history/source.ts";
import { defineCommand } from "../command.ts";
import { withLock } from "../lock.ts";
import type { RunManifest } from "../run-folder.ts";
import { describeReport, evaluateOptions, evaluationStep, type Report } from "../steps/evaluation.ts";
import type { Face } from "../steps/face.ts";
import { describeDataset, harvestStep } from "../steps/harvest.ts";
import { runOptions, trainJob } from "../steps/options.ts";
import { recipeNotes, recipeValues } from "../steps/recipe.ts";
import { describeRun } from "../steps/result.ts";
import { showExample } from "../steps/showing.ts";
import { trainingStep } from "../steps/training.ts";
import { formatPairs } from "../table.ts";
import { ensureWorkspace, requireOwn, workspaceOf } from "../workspace.ts";

export const command = defineCommand({
  name: "cook",
  summary: "Does everything: history, training, evaluation, and an example of what the run writes",
  args: [{ name: "repo", help: "Repository, or a folder in it", unset: ".", required: false }],
  options: {
    sample: {
      type: "boolean",
      default: false,
      help: "Cook a sample repository, made on the spot, instead of one of yours",
    },
    ...runOptions,
    ...historyOptions,
    ...evaluateOptions,
  },
  instead: recipeValues,
  notes: recipeNotes(),
  examples: [
    ["cook", "The repository here, with the small model from scratch"],
    [
      "cook ../express --model SmolLM2-135M.gguf --memory 2GB --time 20m",
      "A pretrained base within 2 GB; 20 minutes of training",
    ],
    ["cook --sample", "A sample repository, to see what it does"],
  ],
  async run({ args, options, out, progress, signal, cwd, env, version }) {
    const face = { out, progress, signal, json: options.json };
    if (options.sample && args.repo !== undefined) {
      throw new UsageError("Expected a repository or --sample, found both; leave one of them out");
    }
    const folder = options.sample ? await ensureSample(cwd, face) : resolve(cwd, args.repo ?? ".");
    const repository = await findRepository(folder, signal);
    const workspace = workspaceOf(repository.top);
    await requireOwn(workspace.root, signal);
    ensureWorkspace(workspace);
    const manifest = await ensureDataset(repository, pickHistoryOptions(options), face);
    print(formatPairs(describeDataset(manifest)), face);
    const chosen = options.sample ? limited(options) : options;
    const job = await trainJob(workspace.dataset, chosen, { cwd, env, progress, signal, version });
    const run = await trainingStep(job, face);
    if (run === null) return 0;
    print(["", ...formatPairs(describeRun(job.run, run))], face);
    const report = await ensureReport({ folder: job.run, run, options }, face);
    if (options.json) out.json(report);
    else print(["", ...describeReport(report)], face);
    await showExample({ folder: job.run, run, sample: options.sample }, face);
    return 0;
  },
});

/**
 * What the sample trains when nothing else is said: steps that take about five minutes on two cores, so that its first
 * cooking ends while one looks on. A slower machine takes longer rather than learning less, up to half an hour. Rows of
 * their own, as measured: packed ones were faster and ended at a higher held-out loss.
 */
const SAMPLE = { max_steps: 1250, time: 1800, packing: false };

type Limits = {
  readonly time: number | null;
  readonly max_steps: number;
  readonly num_train_epochs: number | null;
};

function limited<T extends Limits>(options: T): T {
  const isLimited = options.time !== null || options.max_steps > 0 || options.num_train_epochs !== null;
  return isLimited ? options : { ...options, ...SAMPLE };
}

function print(lines: readonly string[], { out, json }: Face): void {
  if (!json) for (const line of lines) out.line(line);
}

/** The sample repository, made under another name first, so that half a one is never taken for it. */
async function ensureSample(cwd: string, face: Face): Promise<string> {
  const workspace = workspaceOf(cwd);
  await requireOwn(workspace.root, face.signal);
  ensureWorkspace(workspace);
  return withLock(workspace.root, "or cook another repository", () => makeSample(workspace.root, face));
}

async function makeSample(root: string, { progress }: Face): Promise<string> {
  const folder = join(root, "sample");
  if (existsSync(folder)) {
    progress.line(`The sample repository in ${folder} is there`);
    return folder;
  }
  progress.line(
    `Making a sample repository in ${folder}: invented maintenance of a small program, the same each time`,
  );
  const temporary = join(root, ".sample.tmp");
  rmSync(temporary, { recursive: true, force: true });
  await createSample(temporary);
  renameSync(temporary, folder);
  return folder;
}

/** Harvests unless the dataset was made with these options from the refs as they are now. */
async function ensureDataset({ top, description: now }: Repository, options: HistoryOptions, face: Face) {
  const folder = workspaceOf(top).dataset;
  if (hasManifest(folder)) {
    const { created, options: then, ...rest } = readManifest(folder);
    // What is checked out counts too: on no branch, its commits are part of the history.
    const same = created.refs === now.refs && created.head === now.head;
    if (same && JSON.stringify(then) === JSON.stringify(options)) {
      face.progress.line(`The dataset in ${folder} is up to date`);
      return { created, options: then, ...rest };
    }
    face.progress.line("The history, or an option of it, has changed since it was read: reading it again");
  }
  return harvestStep({ repository: top, folder }, options, face);
}

type Job = Parameters<typeof evaluationStep>[0];

async function ensureReport(job: Job & { readonly run: RunManifest }, face: Face): Promise<Report> {
  const path = join(job.folder, "report.json");
  if (existsSync(path)) {
    const report = readJson(path) as Report;
    const { samples, likelihoods, max_new_tokens } = job.options;
    const wanted = JSON.stringify({ samples, likelihoods, max_new_tokens });
    if (report.identity === job.run.identity && JSON.stringify(report.options) === wanted) {
      face.progress.line(`The report in ${path} is up to date`);
      return report;
    }
  }
  return evaluationStep(job, face);
}
