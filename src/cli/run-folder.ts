// A run's folder (workspace.ts says where it lies). A run says in `plan.json` what it is made of before it begins; it is
// whole when its `run.json` is there, which is written last.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { AdapterConfig } from "../adapters/adapter.ts";
import { savedNames } from "../adapters/save.ts";
import { UserError } from "../base/errors.ts";
import { readJson, writeJson } from "../base/files.ts";
import type { FormatName } from "../dataset/format.ts";
import { removeCheckpoints } from "../training/checkpoint.ts";
import { SCRATCH } from "./scratch.ts";
import { repositoryRoot } from "./workspace.ts";

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
  /** `null` where every weight is trained. */
  readonly adapter: AdapterConfig | null;
  /** Folder of the run that this one goes on from. */
  readonly continues: string | null;
  readonly options: Readonly<Record<string, unknown>>;
};

/** What came of a run; losses in nats a target, seconds those of training. */
export type RunOutcome = {
  readonly step: number;
  readonly tokens: number;
  readonly targets: number;
  readonly seconds: number;
  readonly started: number;
  readonly first_loss: number;
  readonly last_loss: number;
  /** Held-out loss before training, and the lowest since; `null` where none was measured. */
  readonly base_loss: number | null;
  readonly best: { readonly step: number; readonly loss: number } | null;
  /** Whether the run ended with its steps, its time or its patience. */
  readonly reason: string;
};

export type RunManifest = RunPlan & {
  readonly max_length: number;
  readonly examples: {
    readonly train: number;
    readonly validation: number;
    readonly too_long: number;
    /** Of those trained, examples that the run had seen before that this one continues. */
    readonly old: number;
  };
  readonly progress: RunOutcome;
};

const PLAN = "plan.json";
/** What a run, or the evaluation of one, leaves beside its model. */
const RESULTS = [
  "report.json",
  "evaluation.json",
  "answers.jsonl",
  "trainer_state.json",
  "README.md",
  "commits.txt",
  "runs",
  ...savedNames,
];
const MANIFEST = "run.json";

export function writePlan(folder: string, plan: RunPlan): void {
  writeJson(
    join(folder, PLAN),
    withPaths(plan, (path) => shorten(folder, path)),
  );
}

export function writeRun(folder: string, manifest: RunManifest): void {
  writeJson(
    join(folder, MANIFEST),
    withPaths(manifest, (path) => shorten(folder, path)),
  );
}

type Places = Pick<RunPlan, "base" | "dataset" | "continues">;

function withPaths<T extends Places>(plan: T, change: (path: string) => string): T {
  const { base, dataset, continues } = plan;
  const changed: Places = {
    base: change(base),
    dataset: change(dataset),
    continues: continues ? change(continues) : null,
  };
  return { ...plan, ...changed };
}

/** Within the run's repository a path is written as seen from the run, so that the repository can be moved. */
function shorten(folder: string, path: string): string {
  const root = repositoryRoot(folder);
  const outside = relative(root, path);
  return outside.startsWith("..") || isAbsolute(outside) ? path : relative(folder, path);
}

/** The run's manifest, or `null` while there is none. */
export function findRun(folder: string): RunManifest | null {
  const run = readVersion1(join(folder, MANIFEST)) as RunManifest | null;
  return run && withPaths(run, (path) => resolve(folder, path));
}

/** The plan of a run that has begun, or `null`. */
export function findPlan(folder: string): RunPlan | null {
  const plan = readVersion1(join(folder, PLAN)) as RunPlan | null;
  return plan && withPaths(plan, (path) => resolve(folder, path));
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

/** Removes what an earlier run left in its folder: first what says that it was whole, last what says whose it is. */
export function clearRun(folder: string): void {
  const remove = (name: string) => rmSync(join(folder, name), { recursive: true, force: true });
  remove(MANIFEST);
  removeCheckpoints(folder);
  for (const name of [...RESULTS, PLAN]) remove(name);
}
