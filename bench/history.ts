// Times the reading of real repositories against `git log -p -M` alone, as a person types it and with the output thrown
// away; the same with the flags and settings that our reading gives git stands beside it. Two figures: reading (records
// parsed, old contents joined, JSON lines written) and the whole verb with every check and filter, as a person starts
// it. Runs are interleaved, so that a noisy minute hurts all sides alike; medians are reported. The peers, hist.bash's
// way and PyDriller, read a sample of commits and are reckoned up to the whole.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { UserError } from "../src/base/errors.ts";
import type { OptionTable } from "../src/base/options.ts";
import { createSample } from "../src/history/sample.ts";
import { explainMissingPeer, ourSide, peerModes, type Side } from "./arms.ts";
import {
  type Bench,
  type BenchResult,
  type BenchSetup,
  interleave,
  median,
  rounded,
  runChild,
} from "./measure.ts";

const historyBenchOptions = {
  commits: {
    type: "integer",
    default: 100,
    help: "Random commits that hist.bash's way and PyDriller read; 0 leaves them out",
    value: "N",
    least: 0,
  },
} as const satisfies OptionTable;

export const bench: Bench = {
  name: "history",
  summary: "seconds of the whole verb `history`, against `git log -p -M` alone",
  options: historyBenchOptions,
  takes: "[REPOSITORY…]; none is the sample",
  runs: 3,
  run: runHistory,
};

/** Medians of one arm; times are seconds. Memory is that of our own process, not of git's. */
type Arm = {
  readonly seconds: number;
  readonly ratio: number;
  readonly cpu_seconds: number | null;
  readonly peak_rss_bytes: number | null;
};

type Sampled = {
  readonly seconds: number;
  readonly ratio: number;
  readonly seconds_per_commit: number;
  readonly sampled: number;
  /** Files of these commits that it cannot read. */
  readonly skipped: number;
};

type RepositoryBench = {
  readonly repository: string;
  readonly git: Arm;
  /** git with our flags and settings. */
  readonly log: Arm;
  readonly reading: Arm;
  readonly verb: Arm;
  /** Memory of the verb for the newest 5,000 commits of a history of many more, which should be the same. */
  readonly fewer_commits_peak_rss_bytes: number | null;
  /** Seconds of each part of the verb, by a profile of one more run. */
  readonly parts: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
  readonly hist_bash: Sampled | null;
  readonly pydriller: Sampled | null;
};

type Work = { readonly repository: string; readonly folder: string };

async function runHistory(setup: BenchSetup): Promise<BenchResult> {
  const { places, venv, log } = setup;
  if (venv === null) log(explainMissingPeer("history"));
  const sample = mkdtempSync(join(tmpdir(), "codefudge-bench-sample-"));
  try {
    if (places.length === 0) await createSample(sample);
    const repositories: RepositoryBench[] = [];
    for (const place of places.length === 0 ? [sample] : places) {
      const measured = await benchRepository(resolve(place), setup);
      const name = place === sample ? "sample" : basename(resolve(place));
      repositories.push({ ...measured, repository: name });
      for (const line of describe(repositories.at(-1)!)) log(line);
    }
    return summarise(repositories);
  } finally {
    rmSync(sample, { recursive: true, force: true });
  }
}

function summarise(repositories: readonly RepositoryBench[]): BenchResult {
  const total = (arm: "git" | "reading" | "verb") =>
    rounded(repositories.reduce((sum, one) => sum + one[arm].seconds, 0));
  const reading = { reading: total("reading"), reading_ratio: rounded(total("reading") / total("git")) };
  const peak = Math.max(...repositories.map(({ verb }) => verb.peak_rss_bytes ?? 0));
  const peer = { peer: "git log -p -M", peer_value: total("git") };
  return {
    value: total("verb"),
    unit: "s",
    ...peer,
    peak_rss_bytes: peak,
    details: { ...reading, repositories },
  };
}

async function benchRepository(repository: string, setup: BenchSetup): Promise<RepositoryBench> {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-bench-"));
  const work = { repository, folder };
  try {
    const arms = await interleave(
      {
        git: () => runArm(work, "git"),
        log: () => runArm(work, "log"),
        reading: () => runArm(work, "reading"),
        verb: () => runVerb(work),
      },
      setup.runs,
    );
    const git = median(arms.git.map(({ seconds }) => seconds));
    const [alone, log, reading, verb] = [arms.git, arms.log, arms.reading, arms.verb].map((runs) =>
      summariseArm(runs, git),
    );
    const { parts } = (await runArm(work, "parts")) as unknown as { parts: Readonly<Record<string, number>> };
    const { counters = {} } = arms.verb[0]!;
    const many = (counters["commits"] ?? 0) >= 2 * FEWER_COMMITS;
    const fewer = many ? await runVerb(work, ["--max_commits", `${FEWER_COMMITS}`]) : null;
    const peers = await runPeers(work, setup, git);
    return {
      repository,
      git: alone!,
      log: log!,
      reading: reading!,
      verb: verb!,
      fewer_commits_peak_rss_bytes: fewer?.peak_rss_bytes ?? null,
      parts,
      counters,
      ...peers,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const FEWER_COMMITS = 5000;

type Run = {
  readonly seconds: number;
  readonly cpu_seconds?: number | null;
  readonly peak_rss_bytes: number | null;
  readonly counters?: Readonly<Record<string, number>>;
};

function summariseArm(runs: readonly Run[], git: number): Arm {
  const seconds = median(runs.map((run) => run.seconds));
  const cpu = runs.flatMap(({ cpu_seconds }) => cpu_seconds ?? []);
  const peaks = runs.flatMap(({ peak_rss_bytes }) => peak_rss_bytes ?? []);
  return {
    seconds: rounded(seconds),
    ratio: rounded(seconds / git),
    cpu_seconds: cpu.length === 0 ? null : rounded(median(cpu)),
    peak_rss_bytes: peaks.length === 0 ? null : Math.max(...peaks),
  };
}

/** An arm in a process of its own, by its own clock: without the start of Node. */
function runArm({ repository, folder }: Work, arm: string): Promise<Run> {
  const work = join(folder, arm);
  return measure(ourSide("history", { arm, repository, folder: work }), work);
}

/** The command as a person starts it, its start included. */
async function runVerb({ repository, folder }: Work, more: readonly string[] = []): Promise<Run> {
  const output = join(folder, "dataset");
  // A journal would spare the reading.
  rmSync(output, { recursive: true, force: true });
  const ran = await runChild(process.execPath, [
    `--import=${SAY_PEAK}`,
    ...program(),
    "history",
    repository,
    "--output",
    output,
    "--json",
    ...more,
  ]);
  if (ran.exitCode !== 0)
    throw new UserError(`Expected a dataset of ${repository}, found: ${ran.stderr.trim()}`);
  const { counters } = JSON.parse(ran.stdout) as { readonly counters: Readonly<Record<string, number>> };
  const kilobytes = /^peak (\d+)$/m.exec(ran.stderr)?.[1];
  const peak_rss_bytes = kilobytes === undefined ? null : Number(kilobytes) * 1024;
  return { seconds: ran.seconds, peak_rss_bytes, counters };
}

/** Has the program say its own peak at its end: what is measured from outside is the largest of it and of git. */
const SAY_PEAK = `data:text/javascript,${encodeURIComponent(
  'process.on("exit", () => process.stderr.write("\\npeak " + process.resourceUsage().maxRSS + "\\n"));',
)}`;

/** The program as it is built, which `npm run bench` sees to. */
function program(): string[] {
  const root = join(import.meta.dirname, "..");
  const built = join(root, "dist", "cli", "main.js");
  return existsSync(built) ? [built] : ["--import=tsx", join(root, "src", "cli", "main.ts")];
}

async function measure({ command, args }: Side, folder?: string): Promise<Run> {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  const ran = await runChild(command, args);
  const last = ran.stdout.trimEnd().split("\n").at(-1) ?? "";
  if (ran.exitCode === 0 && last.startsWith("{")) return JSON.parse(last) as Run;
  throw new UserError(
    `Expected a measurement from ${[command, ...args].join(" ")}, found exit ${ran.exitCode}: ${ran.stderr.trim()}`,
  );
}

async function runPeers(work: Work, { venv, values, log }: BenchSetup, git: number) {
  const commits = values["commits"] as number;
  if (commits === 0) return { hist_bash: null, pydriller: null };
  const job = { ...work, commits };
  const attempt = async (name: string, side: Side): Promise<Sampled | null> => {
    try {
      return await runPeer(side, git);
    } catch (error) {
      // What a peer cannot do with a repository is no reason to lose our own figures.
      if (!(error instanceof UserError)) throw error;
      log(`Left out: ${name}. ${error.message}`);
      return null;
    }
  };
  const hist_bash = await attempt("hist.bash's way", ourSide("hist-bash", job));
  if (venv === null) return { hist_bash, pydriller: null };
  const side = peerModes(venv, "history", { ...job, modes: ["sample"] })["sample"]!;
  return { hist_bash, pydriller: await attempt("PyDriller", side) };
}

type PeerRun = Run & { readonly commits: number; readonly sampled: number; readonly skipped?: number };

async function runPeer(side: Side, git: number): Promise<Sampled> {
  const { seconds, commits, sampled, skipped = 0 } = (await measure(side)) as PeerRun;
  const each = seconds / sampled;
  return {
    seconds: rounded(each * commits),
    ratio: rounded((each * commits) / git),
    seconds_per_commit: rounded(each),
    sampled,
    skipped,
  };
}

function fromSample({ sampled, skipped }: Sampled): string {
  return `from ${sampled} commits${skipped > 0 ? `, ${skipped} files that it cannot read skipped` : ""}`;
}

function describe({
  repository,
  git,
  log,
  reading,
  verb,
  fewer_commits_peak_rss_bytes: fewer,
  parts,
  counters,
  hist_bash,
  pydriller,
}: RepositoryBench): string[] {
  const memory = (bytes: number | null) => (bytes === null ? "" : `, ${Math.round(bytes / 1e6)} MB`);
  const arm = (name: string, { seconds, ratio, peak_rss_bytes }: Arm) =>
    `  ${name.padEnd(14)} ${seconds} s, ${ratio} x git${memory(peak_rss_bytes)}`;
  const peer = (name: string, one: Sampled | null) =>
    one ? [`  ${name.padEnd(14)} ${one.seconds} s, ${one.ratio} x git, ${fromSample(one)}`] : [];
  const shares = Object.entries(parts).map(([part, seconds]) => `${part} ${seconds}`);
  return [
    `${repository}, ${counters["commits"] ?? 0} commits:`,
    arm("git alone", git),
    arm("git as we do", log),
    arm("reading", reading),
    arm("whole verb", verb),
    ...(fewer === null ? [] : [`    of the newest ${FEWER_COMMITS} commits${memory(fewer)}`]),
    `    ${shares.join(", ")}`,
    ...peer("hist.bash's way", hist_bash),
    ...peer("PyDriller", pydriller),
  ];
}
