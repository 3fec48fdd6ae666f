// What there is to tell of runs, finished or not, from their folders alone: nothing is changed, and a run that another
// process works on may be looked at.

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { readJson } from "../../base/files.ts";
import { findProgress } from "../../training/checkpoint.ts";
import { bestOf } from "../../training/progress.ts";
import { describeCurve } from "../curve.ts";
import { isAtWorkIn } from "../lock.ts";
import { findPlan, findRun, type RunManifest, type RunPlan, readRun } from "../run-folder.ts";
import { formatPairs } from "../table.ts";
import { formatBytes, formatCount, formatDuration } from "../units.ts";
import { describeKind } from "./result.ts";

/** `running` is at work now; `stopped` goes on when its command is given again. */
export type RunState = "finished" | "running" | "stopped" | "broken";

export type RunRow = {
  readonly run: string;
  readonly folder: string;
  readonly state: RunState;
  readonly trained: string;
  readonly step: number | null;
  readonly best_loss: number | null;
  readonly bytes: number;
  /** Seconds since 1970; `null` before the first checkpoint. */
  readonly started: number | null;
};

/** The runs of a folder, newest first. */
export function listRuns(runs: string): RunRow[] {
  const names = existsSync(runs) ? readdirSync(runs) : [];
  const rows = names.map((name) => rowOf(join(runs, name))).filter((row) => row !== null);
  return rows.sort((a, b) => (b.started ?? Infinity) - (a.started ?? Infinity));
}

function rowOf(folder: string): RunRow | null {
  const common = { run: basename(folder), folder, bytes: sizeOf(folder) };
  try {
    const run = findRun(folder);
    if (run) {
      const { step, best, started } = run.progress;
      const numbers = { step, best_loss: best?.loss ?? null, started };
      return { ...common, state: "finished", trained: describeKind(run), ...numbers };
    }
    const plan = findPlan(folder);
    if (!plan) return null;
    const progress = findProgress(folder);
    const state = isAtWorkIn(folder) ? "running" : "stopped";
    const best_loss = progress ? (bestOf(progress.evaluations)?.loss ?? null) : null;
    const numbers = { step: progress?.step ?? 0, best_loss, started: progress?.started ?? null };
    return { ...common, state, trained: describeKind(plan), ...numbers };
  } catch {
    // A file that does not parse, or one of a later version: the run is there all the same.
    const unknown = { step: null, best_loss: null, started: null };
    return { ...common, state: "broken", trained: "", ...unknown };
  }
}

/** A row as cells: run, state, trained, steps, held-out, size, begun. */
export function describeRow(row: RunRow): string[] {
  const { run, state, trained, step, best_loss, bytes, started } = row;
  return [
    run,
    state,
    trained,
    step === null ? "" : formatCount(step),
    best_loss?.toFixed(3) ?? "",
    formatBytes(bytes),
    started === null ? "" : new Date(started * 1000).toISOString().slice(0, 16).replace("T", " "),
  ];
}

function sizeOf(folder: string): number {
  const entry = statSync(folder, { throwIfNoEntry: false });
  if (entry === undefined) return 0;
  if (!entry.isDirectory()) return entry.size;
  return readdirSync(folder).reduce((sum, name) => sum + sizeOf(join(folder, name)), 0);
}

type Curve = { readonly losses: readonly number[]; readonly held: readonly number[] };

/** One run whole: configuration, curve, data. */
export function tellRun(folder: string): { readonly lines: readonly string[]; readonly json: unknown } {
  const run = findRun(folder);
  const plan = run ?? findPlan(folder) ?? readRun(folder);
  const row = rowOf(folder)!;
  const curve = curveOf(folder, run);
  const lines = [
    ...formatPairs([["run", folder], ["state", row.state], ...facts(plan, run, row)]),
    "",
    ...(curve.losses.length > 0 ? [`loss      ${describeCurve(curve.losses)}`] : []),
    ...(curve.held.length > 0 ? [`held-out  ${describeCurve(curve.held)}`] : []),
    "",
    ...formatPairs(
      Object.entries(plan.options)
        .filter(([, value]) => value !== null && String(value) !== "")
        .map(([name, value]) => [`--${name}`, wordOf(value)]),
    ),
  ];
  return { lines, json: { ...row, ...plan, curve } };
}

function facts(plan: RunPlan, run: RunManifest | null, row: RunRow): [string, string][] {
  const examples = run?.examples;
  return [
    ["trained", row.trained],
    ["base", `${plan.base} (${plan.base_sha256.slice(0, 12)})`],
    ["dataset", `${plan.dataset} (${plan.dataset_sha256.slice(0, 12)})`],
    ["form", plan.format],
    ...(plan.continues ? [["continues", plan.continues] as [string, string]] : []),
    ...(examples
      ? [
          [
            "examples",
            `${formatCount(examples.train)} trained, ${formatCount(examples.validation)} held out, ${formatCount(examples.too_long)} too long`,
          ] as [string, string],
        ]
      : []),
    ["steps", row.step === null ? "unknown" : formatCount(row.step)],
    ...(run ? [["time", formatDuration(run.progress.seconds)] as [string, string]] : []),
    ["best held-out loss", row.best_loss?.toFixed(4) ?? "not measured"],
    ["size", formatBytes(row.bytes)],
  ];
}

function curveOf(folder: string, run: RunManifest | null): Curve {
  if (!run) {
    const progress = findProgress(folder);
    return {
      losses: progress?.losses ?? [],
      held: progress?.evaluations.map(({ loss }) => loss) ?? [],
    };
  }
  const path = join(folder, "trainer_state.json");
  if (!existsSync(path)) return { losses: [], held: [] };
  const { log_history } = readJson(path) as { log_history: Record<string, number>[] };
  const column = (key: string) => log_history.flatMap((row) => (row[key] === undefined ? [] : [row[key]]));
  return { losses: column("loss"), held: column("eval_loss") };
}

function wordOf(value: unknown): string {
  return typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : String(value);
}
