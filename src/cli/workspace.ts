// Where things lie: `.codefudge` in the repository, which ignores itself, with the dataset and one folder for each
// run. A run says in `plan.json` what it is made of before it begins; it is whole when its `run.json` is there, which
// is written last.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson, writeFileAtomic, writeJson } from "../base/files.ts";
import type { FormatName } from "../dataset/format.ts";
import { removeCheckpoints } from "../training/checkpoint.ts";
import { SCRATCH } from "./scratch.ts";

export type Workspace = { readonly root: string; readonly dataset: string; readonly runs: string };

export const FOLDER = ".codefudge";

/** Paths within a repository's workspace; nothing is made yet. */
export function workspaceOf(repository: string): Workspace {
  const root = join(resolve(repository), FOLDER);
  return { root, dataset: join(root, "dataset"), runs: join(root, "runs") };
}

/** Makes the folder and tells git to ignore it. */
export function ensureWorkspace({ root }: Workspace): void {
  const ignore = join(root, ".gitignore");
  if (!existsSync(ignore)) writeFileAtomic(ignore, "*\n");
}

/** A run's name when none is given: what was trained, by its path. */
export function runName(model: string): string {
  return model === SCRATCH ? SCRATCH : basename(model).replace(/\.gguf$/i, "");
}

/** What a run is made of: it goes on, or is found finished, only for the same. */
export type RunPlan = {
  readonly version: 1;
  /** `adapter`: PEFT files in the run's folder. `all`: a whole model in its `model` folder. */
  readonly kind: "adapter" | "all";
  readonly format: FormatName;
  /** Path of the base. */
  readonly base: string;
  readonly base_sha256: string;
  readonly dataset: string;
  readonly dataset_sha256: string;
  readonly identity: string;
  readonly options: Readonly<Record<string, unknown>>;
};

export type RunManifest = RunPlan & {
  readonly max_length: number;
  readonly examples: { readonly train: number; readonly validation: number; readonly too_long: number };
  readonly progress: Readonly<Record<string, unknown>>;
};

const PLAN = "plan.json";
const MANIFEST = "run.json";

export function writePlan(folder: string, plan: RunPlan): void {
  writeJson(join(folder, PLAN), plan);
}

export function writeRun(folder: string, manifest: RunManifest): void {
  writeJson(join(folder, MANIFEST), manifest);
}

/** The run's manifest, or `null` while there is none. */
export function findRun(folder: string): RunManifest | null {
  return readVersion1(join(folder, MANIFEST)) as RunManifest | null;
}

/** The plan of a run that has begun, or `null`. */
export function findPlan(folder: string): RunPlan | null {
  return readVersion1(join(folder, PLAN)) as RunPlan | null;
}

function readVersion1(path: string): unknown {
  if (!existsSync(path)) return null;
  const value = readJson(path) as { version?: unknown } | null;
  if (value?.version === 1) return value;
  throw new UserError(
    `Expected version 1 in ${path}, found ${JSON.stringify(value?.version ?? null)}; train again with --restart`,
  );
}

export function readRun(folder: string): RunManifest {
  const run = findRun(folder);
  if (run) return run;
  if (findPlan(folder)) {
    throw new UserError(
      `Expected a finished run in ${folder}, found one that has only begun; give its codefudge train or cook again, it goes on where it stopped`,
    );
  }
  const runs = dirname(folder);
  const others = existsSync(runs) ? readdirSync(runs).filter((name) => findRun(join(runs, name))) : [];
  const advice =
    others.length > 0 ? `name one of ${others.join(", ")}` : "run codefudge cook, which makes one";
  throw new UserError(`Expected a run in ${folder}, found none; ${advice}`);
}

/** Removes what an earlier run left in its folder, and first what says that it was whole. */
export function clearRun(folder: string): void {
  for (const name of [MANIFEST, PLAN, "report.json", "answers.jsonl"])
    rmSync(join(folder, name), { force: true });
  removeCheckpoints(folder);
}
