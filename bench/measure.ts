// What every bench needs: runs in turn, medians, and a child's time and peak memory as the system counts them.
// Knows nothing of what is measured.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, platform, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import type { OptionTable } from "../src/base/options.ts";

export type BenchSetup = {
  readonly runs: number;
  /** A Python environment with the peers; a bench without one measures ourselves only. */
  readonly venv: string | null;
  /** What stood on the command line besides options. */
  readonly places: readonly string[];
  /** The bench's own options, by its table. */
  readonly values: Readonly<Record<string, unknown>>;
  /** A readable line, on stderr. */
  log(text: string): void;
};

export type BenchResult = {
  readonly value: number;
  readonly unit: string;
  /** What it was compared with, and the peer's value in the same unit; `null` when no peer was measured. */
  readonly peer: string | null;
  readonly peer_value: number | null;
  readonly peak_rss_bytes: number | null;
  /** What else the result line says, the single measurements behind the medians among it. */
  readonly details?: Readonly<Record<string, unknown>>;
};

export type Bench = {
  readonly name: string;
  readonly summary: string;
  readonly options: OptionTable;
  /** What it takes besides options, as a usage line shows it; `null` for nothing. */
  readonly takes: string | null;
  /** Runs unless --runs says otherwise. */
  readonly runs: number;
  run(setup: BenchSetup): Promise<BenchResult>;
};

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error("Expected at least one value for a median, found none");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Four digits: more than any of these measurements is worth. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/**
 * Runs every arm `runs` times in turn, each round starting with another, so that a machine that is slow for a while is
 * slow for all of them. Gives each arm's outcomes in the order they were measured.
 */
export async function interleave<K extends string, T>(
  arms: Readonly<Record<K, () => Promise<T>>>,
  runs: number,
): Promise<Record<K, T[]>> {
  const names = Object.keys(arms) as K[];
  const outcomes = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, T[]>;
  for (let round = 0; round < runs; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]!;
      outcomes[name].push(await arms[name]());
    }
  }
  return outcomes;
}

export type ChildRun = {
  readonly seconds: number;
  /** `null` where /usr/bin/time is missing. */
  readonly peakRssBytes: number | null;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

export type ChildSettings = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Count stdout's bytes away instead of keeping them. */
  readonly discard?: boolean;
};

/** Runs a program to its end under /usr/bin/time. */
export async function runChild(
  command: string,
  args: readonly string[],
  settings: ChildSettings = {},
): Promise<ChildRun> {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-bench-"));
  const report = join(folder, "time");
  const timer = existsSync("/usr/bin/time") ? timerArgs(report) : undefined;
  try {
    const started = performance.now();
    const ran = await collect(
      timer ? "/usr/bin/time" : command,
      timer ? [...timer, command, ...args] : args,
      settings,
    );
    const seconds = (performance.now() - started) / 1000;
    const peakRssBytes = timer ? readPeak(readFileSync(report, "utf8")) : null;
    return { ...ran, seconds, peakRssBytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Peak memory of this process so far. */
export function ownPeakRssBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

export type Machine = Readonly<Record<string, string | number>>;

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memory_bytes: totalmem(),
    load_average_before: Number(loadavg()[0]!.toFixed(2)),
    node: process.versions.node,
    os: `${platform()} ${release()}`,
    date: new Date().toISOString(),
  };
}

function timerArgs(report: string): string[] {
  return platform() === "darwin" ? ["-l", "-o", report] : ["-v", "-o", report];
}

/** The peak in a report of GNU time (`-v`, kilobytes) or of macOS (`-l`, bytes). */
export function readPeak(report: string): number | null {
  const gnu = /Maximum resident set size \(kbytes\): (\d+)/.exec(report);
  if (gnu) return Number(gnu[1]) * 1024;
  const mac = /(\d+) +maximum resident set size/.exec(report);
  return mac ? Number(mac[1]) : null;
}

function collect(
  command: string,
  args: readonly string[],
  settings: ChildSettings,
): Promise<Pick<ChildRun, "exitCode" | "stdout" | "stderr">> {
  const { cwd, env, discard } = settings;
  const child = spawn(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => (discard ? undefined : out.push(chunk)));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({
        exitCode: code ?? 1,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
}
