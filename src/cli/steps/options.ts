// Options that several verbs share, and how a run or a dataset is found from what a person gave.

import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type LoraOptions, loraOptions } from "../../adapters/lora.ts";
import { UsageError, UserError } from "../../base/errors.ts";
import type { OptionTable, Values } from "../../base/options.ts";
import { DEFAULT_FORMAT, type FormatName, formats } from "../../dataset/format.ts";
import { type TrainOptions, trainOptions } from "../../training/options.ts";
import { SCRATCH } from "../scratch.ts";
import { FOLDER, runName, workspaceOf } from "../workspace.ts";
import type { TrainJob } from "./job.ts";

export const modelOptions = {
  model: {
    type: "string",
    default: SCRATCH,
    help: "Base: a folder in Hugging Face layout, a .gguf file, or scratch",
    value: "MODEL",
  },
  run: {
    type: "string",
    default: null,
    help: "Name or folder of the run",
    unset: "the model's name",
    value: "NAME",
  },
  format: {
    type: "string",
    default: DEFAULT_FORMAT,
    choices: Object.keys(formats),
    help: "Form of the answer",
    value: "FORM",
  },
  method: {
    type: "string",
    default: null,
    choices: ["lora", "full"],
    help: "Train an adapter, or every weight",
    unset: "lora, for scratch full",
    value: "METHOD",
  },
  restart: {
    type: "boolean",
    default: false,
    help: "Replace the run of that name instead of going on with it",
  },
} as const satisfies OptionTable;

type Chosen = Values<typeof modelOptions> & LoraOptions & TrainOptions;

/** The training job that options describe, over a dataset and its neighbouring runs. */
export function trainJob(dataset: string, cwd: string, options: Chosen): TrainJob {
  const runs = join(dirname(dataset), "runs");
  const pick = <T extends OptionTable>(table: T) =>
    Object.fromEntries(Object.keys(table).map((key) => [key, options[key as keyof Chosen]])) as Values<T>;
  const model = options.model === SCRATCH ? SCRATCH : resolve(cwd, options.model);
  const run = runFolder(options.run ?? runName(model), runs, cwd);
  return {
    dataset,
    run,
    model,
    format: options.format as FormatName,
    method: (options.method as TrainJob["method"] | null) ?? (model === SCRATCH ? "full" : "lora"),
    lora: pick(loraOptions),
    options: pick(trainOptions),
    restart: options.restart,
  };
}

/** A run by name among `runs`, or by path where the name has a slash. */
function runFolder(name: string, runs: string, cwd: string): string {
  if (["", ".", ".."].includes(name)) {
    throw new UsageError(`Expected a name or folder of a run, found "${name}"; give a name such as wide`);
  }
  return /[\\/]/.test(name) ? resolve(cwd, name) : join(runs, name);
}

/** The finished run that is meant: by name or path, or the newest of the workspace in or above `cwd`. */
export function findRunFolder(name: string | null, cwd: string): string {
  const { runs } = workspaceOf(repositoryRoot(cwd));
  if (name !== null) {
    // A run of that name before a folder that happens to be called so, such as a model's.
    const folder = runFolder(name, runs, cwd);
    return !existsSync(folder) && isRun(resolve(cwd, name)) ? resolve(cwd, name) : folder;
  }
  const finished = existsSync(runs) ? readdirSync(runs).filter((run) => isRun(join(runs, run))) : [];
  const time = (run: string) => statSync(join(runs, run, "run.json")).mtimeMs;
  const newest = finished.sort((a, b) => time(b) - time(a))[0];
  if (newest !== undefined) return join(runs, newest);
  throw new UserError(
    `Expected a finished run in ${runs}, found none; run codefudge cook there, which makes one`,
  );
}

function isRun(folder: string): boolean {
  return existsSync(join(folder, "run.json"));
}

/** The nearest folder in or above `cwd` with a workspace or a repository; `cwd` itself when there is none. */
export function repositoryRoot(cwd: string): string {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    if (existsSync(join(folder, FOLDER)) || existsSync(join(folder, ".git"))) return folder;
    if (dirname(folder) === folder) return resolve(cwd);
  }
}
