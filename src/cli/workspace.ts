// Where things lie: `.codefudge` in the repository, which ignores itself, with the dataset, the scratch model and
// one folder for each run. A run is whole when its `run.json` is there: it is written last.

import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson, writeFileAtomic, writeJson } from "../base/files.ts";
import type { FormatName } from "../dataset/format.ts";
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

/** A run's name when none is given: what was trained. */
export function runName(model: string): string {
  if (model === SCRATCH) return SCRATCH;
  return basename(resolve(model)).replace(/\.gguf$/i, "");
}

export type RunManifest = {
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
  readonly max_length: number;
  readonly examples: { readonly train: number; readonly validation: number; readonly too_long: number };
  readonly options: Readonly<Record<string, unknown>>;
  readonly progress: Readonly<Record<string, unknown>>;
};

const MANIFEST = "run.json";

export function writeRun(folder: string, manifest: RunManifest): void {
  writeJson(join(folder, MANIFEST), manifest);
}

/** The run's manifest, or `null` while there is none. */
export function findRun(folder: string): RunManifest | null {
  return existsSync(join(folder, MANIFEST)) ? (readJson(join(folder, MANIFEST)) as RunManifest) : null;
}

export function readRun(folder: string): RunManifest {
  const run = findRun(folder);
  if (run) return run;
  const started = existsSync(folder);
  throw new UserError(
    started
      ? `Expected a finished run in ${folder}, found one that is not finished; run codefudge train again to go on`
      : `Expected a run in ${folder}, found none; run codefudge train, or codefudge cook for everything at once`,
  );
}
