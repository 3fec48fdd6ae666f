// What must be the same for a run to go on or to be found finished, and the words for what is not.

import { createHash } from "node:crypto";
import { basename } from "node:path";
import { adapterOptions } from "../../adapters/options.ts";
import { UserError } from "../../base/errors.ts";
import type { Option } from "../../base/options.ts";
import { packOptions } from "../../dataset/pack.ts";
import { type Resolved, trainOptions } from "../../training/options.ts";
import type { RunPlan } from "../run-folder.ts";
import { formatBytes, formatSpan } from "../units.ts";
import type { TrainJob } from "./job.ts";

/** How often a run is saved, and what is told of it, changes nothing in its result. */
const FREE = ["save_steps", "save_total_limit", "report_to", "explain_plan", "recipe"];

type Parts = {
  readonly job: TrainJob;
  readonly kind: RunPlan["kind"];
  readonly options: Resolved;
  readonly dataset_sha256: string;
  readonly base: string;
  readonly base_sha256: string;
};

export function planOf({ job, kind, options, dataset_sha256, base, base_sha256 }: Parts): RunPlan {
  const { format, max_files, adapter, continues, dataset, extend_tokenizer, recipe } = job;
  const method = kind === "all" ? "full" : "adapter";
  const own = { method, max_files, ...(adapter === null ? {} : flat(adapter)) };
  const continued = continues && {
    continue_from: basename(continues.folder),
    old_share: continues.old_share,
  };
  const { kind: _, ...chosen } = options;
  const extended = extend_tokenizer === null ? {} : { extend_tokenizer };
  const all = { ...(recipe === null ? {} : { recipe }), ...chosen, ...own, ...continued, ...extended };
  const named = Object.entries(all).filter(([name]) => !FREE.includes(name));
  const text = JSON.stringify([format, named, dataset_sha256, base_sha256, continues?.identity ?? null]);
  return {
    version: 1,
    kind,
    format,
    base,
    base_sha256,
    dataset,
    dataset_sha256,
    identity: createHash("sha256").update(text).digest("hex"),
    adapter,
    continues: continues?.folder ?? null,
    options: all,
  };
}

/** An adapter as the options that make it: its kind is called `adapter` there. */
function flat({ kind, ...rest }: NonNullable<TrainJob["adapter"]>): Record<string, unknown> {
  return { adapter: kind, ...rest };
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
  const isOlder = earlier.finished && earlier.dataset_sha256 !== now.dataset_sha256;
  const onward = isOlder ? `--continue_from ${basename(folder)} to go on from it on what is new, ` : "";
  throw new UserError(
    `Expected what the ${earlier.finished ? "finished" : "unfinished"} run in ${folder} was made with, found ${differences.join(", ")}; add ${onward}--run NAME to train another run beside it, or --restart to replace it`,
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

const TABLE: Readonly<Record<string, Option>> = { ...trainOptions, ...adapterOptions, ...packOptions };

/** A value as a person would give it; one that stands for nothing given is called so. */
function wordsOf(name: string, value: unknown): string {
  const option = TABLE[name];
  if (value === null || value === undefined) return "not given";
  if (option?.unset !== undefined && JSON.stringify(value) === JSON.stringify(option.default))
    return "not given";
  if (option?.type === "duration") return formatSpan(Number(value));
  if (option?.type === "bytes") return formatBytes(Number(value)).replace(" ", "");
  return typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : String(value);
}
