// What must be the same for a run to go on or to be found finished, and the words for what is not.

import { createHash } from "node:crypto";
import { UserError } from "../../base/errors.ts";
import type { Resolved } from "../../training/options.ts";
import { formatBytes, formatSpan } from "../units.ts";
import type { RunPlan } from "../workspace.ts";
import type { TrainJob } from "./job.ts";

/** How often a run is saved changes nothing in its result. */
const FREE = ["save_steps"];

type Parts = {
  readonly job: TrainJob;
  readonly kind: RunPlan["kind"];
  readonly options: Resolved;
  readonly dataset_sha256: string;
  readonly base: string;
  readonly base_sha256: string;
};

export function planOf({ job, kind, options, dataset_sha256, base, base_sha256 }: Parts): RunPlan {
  const all = { ...options, method: job.method, ...(kind === "adapter" ? job.lora : {}) };
  const named = Object.entries(all).filter(([name]) => !FREE.includes(name));
  const text = JSON.stringify([job.format, named, dataset_sha256, base_sha256]);
  return {
    version: 1,
    kind,
    format: job.format,
    base,
    base_sha256,
    dataset: job.dataset,
    dataset_sha256,
    identity: createHash("sha256").update(text).digest("hex"),
    options: all,
  };
}

/** Throws one sentence that names everything in which `now` is not the run of that folder; base "" is not known yet. */
export function requireSame(
  folder: string,
  earlier: RunPlan & { readonly finished: boolean },
  now: RunPlan,
): void {
  const differences = [
    ...(earlier.dataset_sha256 === now.dataset_sha256 ? [] : ["another dataset (the history has changed)"]),
    ...(now.base_sha256 === "" || earlier.base_sha256 === now.base_sha256 ? [] : ["another base model"]),
    ...differentOptions(
      { ...earlier.options, format: earlier.format },
      { ...now.options, format: now.format },
    ),
  ];
  if (differences.length === 0) return;
  throw new UserError(
    `Expected what the ${earlier.finished ? "finished" : "unfinished"} run in ${folder} was made with, found ${differences.join(", ")}; add --run NAME to train another run beside it, or --restart to replace it`,
  );
}

type Options = Readonly<Record<string, unknown>>;

function differentOptions(earlier: Options, now: Options): string[] {
  const names = [...new Set([...Object.keys(now), ...Object.keys(earlier)])].filter(
    (name) => !FREE.includes(name),
  );
  return names
    .filter((name) => JSON.stringify(earlier[name] ?? null) !== JSON.stringify(now[name] ?? null))
    .map((name) => `--${name} ${wordsOf(name, now[name])} instead of ${wordsOf(name, earlier[name])}`);
}

function wordsOf(name: string, value: unknown): string {
  if (value === null || value === undefined) return "not given";
  if (name === "time") return formatSpan(Number(value));
  if (name === "memory") return formatBytes(Number(value)).replace(" ", "");
  return String(value);
}
