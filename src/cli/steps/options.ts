// Options that several verbs share, and how a run or a dataset is found from what a person gave.

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { adapterConfig, adapterOptions } from "../../adapters/options.ts";
import { UsageError, UserError } from "../../base/errors.ts";
import type { OptionTable, Values } from "../../base/options.ts";
import { DEFAULT_FORMAT, type FormatName, formats } from "../../dataset/format.ts";
import { packOptions } from "../../dataset/pack.ts";
import { trainOptions } from "../../training/options.ts";
import { locateModel, type Seeker } from "../model.ts";
import { readRun, runName } from "../run-folder.ts";
import { SCRATCH } from "../scratch.ts";
import { repositoryRoot, workspaceOf } from "../workspace.ts";
import { tokenModules } from "./extension.ts";
import type { TrainJob } from "./job.ts";
import { recipeOptions, requireBaseOf } from "./recipe.ts";

export const modelOptions = {
  model: {
    type: "string",
    default: null,
    help: "Base: a folder in Hugging Face layout, a .gguf file, a name on the hub or of a model that is here, or scratch",
    unset: "scratch; to continue a run, that run's",
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
  ...packOptions,
  extend_tokenizer: {
    type: "integer",
    default: null,
    least: 0,
    help: "Give the base tokens for what it cannot write in this repository's files, and for so many of their words at most",
    unset: "leave its tokenizer as it is",
    value: "N",
  },
  method: {
    type: "string",
    default: null,
    choices: ["adapter", "full"],
    help: "Train an adapter, or every weight",
    unset: "adapter, for scratch full",
    value: "METHOD",
  },
  restart: {
    type: "boolean",
    default: false,
    help: "Replace the run of that name instead of going on with it",
  },
} as const satisfies OptionTable;

export const continueOptions = {
  continue_from: {
    type: "string",
    default: null,
    help: "Go on from this finished run, on the commits that are new since",
    unset: "begin anew",
    value: "RUN",
  },
  old_share: {
    type: "number",
    default: 0.25,
    help: "To continue: share of examples that the run has seen before, so that they are not forgotten",
    value: "X",
    least: 0,
  },
} as const satisfies OptionTable;

export const dryRunOptions = {
  dry_run: {
    type: "boolean",
    default: false,
    help: "Say what would be trained, how long it takes and what memory, and train nothing",
  },
} as const satisfies OptionTable;

/** Read before any command runs (`cli/config.ts`). */
const configOptions = {
  config: {
    type: "string",
    default: null,
    short: "c",
    help: "Take options from a JSON file, by their names; what is given beside it goes first",
    unset: "none",
    value: "FILE",
  },
} as const satisfies OptionTable;

/** Every option of what is trained and how, whichever verb does it. */
export const runOptions = {
  ...configOptions,
  ...recipeOptions,
  ...modelOptions,
  ...adapterOptions,
  ...trainOptions,
  ...continueOptions,
  ...dryRunOptions,
} as const satisfies OptionTable;

type Chosen = Values<typeof runOptions>;

/** What of a command's context a job is made with. */
type Around = Seeker & { readonly version: string };

/** The training job that options describe, over a dataset and its neighbouring runs; fetches a model that is named. */
export async function trainJob(dataset: string, options: Chosen, around: Around): Promise<TrainJob> {
  const place = { runs: join(dirname(dataset), "runs"), cwd: around.cwd };
  const named = options.model !== null && options.model !== SCRATCH;
  const { recipe } = options;
  const begins = options.continue_from === null;
  if (recipe !== null && begins && !named) requireBaseOf(recipe, null, options.model ?? "no --model");
  const model = named ? await locateModel(options.model, around) : options.model;
  if (recipe !== null && named) requireBaseOf(recipe, model, options.model);
  const job = jobOf(dataset, { ...options, model }, { ...place, version: around.version });
  if (recipe !== null && !named) requireBaseOf(recipe, job.model, job.model);
  return job;
}

function jobOf(dataset: string, options: Chosen, place: Place & { version: string }): TrainJob {
  const job = {
    dataset,
    version: place.version,
    options: pick(trainOptions, options),
    max_files: options.max_files,
    extend_tokenizer: options.extend_tokenizer,
    recipe: options.recipe,
    restart: options.restart,
    dry_run: options.dry_run,
  };
  const begun = options.continue_from !== null || (options.model ?? SCRATCH) === SCRATCH;
  if (options.extend_tokenizer !== null && begun) {
    throw new UsageError(
      "Expected a base of its own with --extend_tokenizer, found scratch or --continue_from, whose tokenizer is settled; name another with --model, or leave the option out",
    );
  }
  if (options.continue_from !== null) return { ...job, ...continuedParts(options, place) };
  const model = options.model ?? SCRATCH;
  const full = options.method === null ? model === SCRATCH : options.method === "full";
  return {
    ...job,
    run: runFolder(options.run ?? runName(model), place),
    model,
    format: options.format as FormatName,
    adapter: full ? null : withRows(adapterConfig(pick(adapterOptions, options)), { ...options, model }),
    continues: null,
  };
}

/** New tokens learn nothing unless their rows are trained: the modules that hold them, where none are named. */
function withRows<T extends { readonly kind: string; readonly modules_to_save: readonly string[] }>(
  adapter: T,
  { model, extend_tokenizer }: { readonly model: string; readonly extend_tokenizer: number | null },
): T {
  if (extend_tokenizer === null || adapter.modules_to_save.length > 0) return adapter;
  const modules = tokenModules(model);
  // AdapterHub's files have no place for an embedding that the head shares.
  const isPossible = adapter.kind !== "bottleneck" || modules.includes("lm_head");
  return { ...adapter, modules_to_save: isPossible ? modules : [] };
}

type Place = { readonly runs: string; readonly cwd: string };

/** What continues a run is made as that run was: base, form and kind are its own. */
function continuedParts(
  options: Chosen,
  place: Place,
): Pick<TrainJob, "run" | "model" | "format" | "adapter" | "continues"> {
  const folder = existingRun(options.continue_from!, place);
  const earlier = readRun(folder);
  if (options.old_share >= 1) {
    throw new UsageError(
      `Expected a share below 1 for --old_share, found ${options.old_share}; 0.25 makes every fourth example an old one`,
    );
  }
  const given = Object.keys(adapterOptions).filter((name) => {
    const key = name as keyof typeof adapterOptions;
    return JSON.stringify(options[key]) !== JSON.stringify(adapterOptions[key].default);
  });
  if (given.length > 0 || options.method !== null) {
    const names = [...given, ...(options.method === null ? [] : ["method"])].map((name) => `--${name}`);
    throw new UsageError(
      `Expected no options of the adapter with --continue_from, whose adapter it is, found ${names.join(", ")}; leave them out`,
    );
  }
  const base = earlier.kind === "all" ? join(folder, "model") : earlier.base;
  return {
    run: runFolder(options.run ?? `${basename(folder)}-continued`, place),
    model: options.model ?? base,
    format: earlier.format,
    adapter:
      earlier.kind === "all" ? null : (earlier.adapter ?? adapterConfig(pick(adapterOptions, options))),
    continues: { folder, identity: earlier.identity, old_share: options.old_share },
  };
}

function pick<T extends OptionTable>(table: T, options: Chosen): Values<T> {
  return Object.fromEntries(
    Object.keys(table).map((key) => [key, options[key as keyof Chosen]]),
  ) as Values<T>;
}

/** A run by name among `runs`, or by path where the name has a slash. */
function runFolder(name: string, { runs, cwd }: Place): string {
  if (["", ".", ".."].includes(name)) {
    throw new UsageError(`Expected a name or folder of a run, found "${name}"; give a name such as wide`);
  }
  return /[\\/]/.test(name) ? resolve(cwd, name) : join(runs, name);
}

/** A run of that name before a folder that happens to be called so, such as a model's. */
export function existingRun(name: string, place: Place): string {
  const folder = runFolder(name, place);
  return !existsSync(folder) && isRun(resolve(place.cwd, name)) ? resolve(place.cwd, name) : folder;
}

/** The finished run that is meant: by name or path, or the newest of the workspace in or above `cwd`. */
export function findRunFolder(name: string | null, cwd: string): string {
  const { runs } = workspaceOf(repositoryRoot(cwd));
  if (name !== null) return existingRun(name, { runs, cwd });
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
