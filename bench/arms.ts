// Two sides of a comparison, each a fresh process that prints one JSON line of numbers for each sample it measured.
// Every mode of the peer is tried briefly; the fastest then takes turns with us. Knows neither side's work.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../src/base/errors.ts";
import { type BenchResult, type BenchSetup, interleave, median, rounded, runChild } from "./measure.ts";

/** Numbers of one sample by name; `peak_rss_bytes` among them is the process's own count. */
type Sample = Readonly<Record<string, number>>;

type Outcome = {
  readonly samples: readonly Sample[];
  readonly peak_rss_bytes: number;
};

export type Side = {
  readonly command: string;
  readonly args: readonly string[];
};

export type Comparison = {
  /** The figure that decides: more is better. */
  readonly figure: string;
  readonly unit: string;
  /** What is measured, in words for a heading. */
  readonly work: string;
  readonly ours: Side;
  /** `null` when there is none to measure. */
  readonly peer: Peer | null;
};

/** What a peer is called, its modes, and the packages whose versions a reader of the figures wants to know. */
export type Peer = {
  readonly name: string;
  readonly modes: Readonly<Record<string, Side>>;
  readonly packages: readonly string[];
};

/** Times that each mode of the peer is tried before one is chosen. */
const TRIES = 2;

/** Our side: a TypeScript program beside the benches. */
export function ourSide(program: string, work: object): Side {
  const file = join(import.meta.dirname, "ours", `${program}.ts`);
  return { command: process.execPath, args: ["--import=tsx", file, JSON.stringify(work)] };
}

/** One side for each mode of a Python program, run by the environment's own interpreter. */
export function peerModes(
  venv: string,
  program: string,
  work: { readonly modes: readonly string[]; readonly [key: string]: unknown },
): Record<string, Side> {
  const command = ["bin/python", "Scripts/python.exe"].map((path) => join(venv, path)).find(existsSync);
  if (!command) {
    throw new UserError(`Expected a Python environment in --venv, found no bin/python in ${venv}`);
  }
  const { modes, ...rest } = work;
  // -B: no compiled files are left beside the sources.
  const file = join(import.meta.dirname, "peers", `${program}.py`);
  return Object.fromEntries(
    modes.map((mode) => [mode, { command, args: ["-B", file, JSON.stringify({ ...rest, mode })] }]),
  );
}

/** How to add the peer, for a person who gave no --venv. */
export function explainMissingPeer(name: string): string {
  return (
    `${name}: no peer was measured; for one, python3 -m venv DIR, ` +
    "DIR/bin/pip install -r bench/peers/requirements.txt, and give --venv DIR"
  );
}

/** Measures both sides in turn; every figure of the result is a median over runs of a median over samples. */
export async function compare(comparison: Comparison, { runs, log }: BenchSetup): Promise<BenchResult> {
  const { figure, unit, work, ours, peer } = comparison;
  const run = async (side: Side, label: string) => {
    const outcome = await measureSide(side);
    log(`  ${label.padEnd(24)} ${describe(summarise([outcome]))}`);
    return outcome;
  };
  const names = Object.keys(peer?.modes ?? {});
  // Of one mode there is nothing to choose.
  const tried = await interleave(
    mapValues(peer?.modes ?? {}, (side, name) => () => run(side, `tried: ${name}`)),
    names.length > 1 ? Math.min(TRIES, runs) : 0,
  );
  const modes = names.length > 1 ? mapValues(tried, summarise) : {};
  const fastest = names.sort((a, b) => (modes[b]?.[figure] ?? 0) - (modes[a]?.[figure] ?? 0))[0];
  const sides = { ours: () => run(ours, "ours") };
  const outcomes: Record<string, Outcome[]> =
    fastest === undefined
      ? await interleave(sides, runs)
      : await interleave({ ...sides, peer: () => run(peer!.modes[fastest]!, fastest) }, runs);
  const [own, theirs] = [summarise(outcomes.ours!), outcomes.peer ? summarise(outcomes.peer) : null];
  return {
    value: own[figure]!,
    unit,
    peer: fastest === undefined ? null : `${peer!.name}, ${fastest}`,
    peer_value: theirs?.[figure] ?? null,
    peak_rss_bytes: own.peak_rss_bytes!,
    details: {
      ...{ work, versions: peer && versionsOf(peer) },
      ...{ peer_peak_rss_bytes: theirs?.peak_rss_bytes ?? null, ours: own, theirs, modes, outcomes },
    },
  };
}

const VERSIONS =
  "import json, sys; from importlib.metadata import version; " +
  'print(", ".join(f"{name} {version(name)}" for name in json.loads(sys.argv[1])))';

/** What the peer's interpreter says of its packages; `null` where it has none. */
function versionsOf({ modes, packages }: Peer): string | null {
  if (packages.length === 0) return null;
  const { command } = Object.values(modes)[0]!;
  return spawnSync(command, ["-c", VERSIONS, JSON.stringify(packages)], { encoding: "utf8" }).stdout.trim();
}

function mapValues<T, U>(
  record: Readonly<Record<string, T>>,
  f: (value: T, name: string) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]));
}

async function measureSide({ command, args }: Side): Promise<Outcome> {
  const ran = await runChild(command, args);
  const samples = ran.stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Sample);
  if (ran.exitCode !== 0 || samples.length === 0) {
    const shown = [command, ...args].join(" ");
    throw new UserError(`Expected a measurement from ${shown}, found exit ${ran.exitCode}: ${ran.stderr}`);
  }
  return { samples, peak_rss_bytes: ran.peakRssBytes ?? samples.at(-1)!.peak_rss_bytes! };
}

function summarise(outcomes: readonly Outcome[]): Record<string, number> {
  const names = Object.keys(outcomes[0]!.samples[0]!).filter((name) => name !== "peak_rss_bytes");
  const middle = (name: string) =>
    rounded(median(outcomes.map(({ samples }) => median(samples.map((sample) => sample[name]!)))));
  const figures = Object.fromEntries(names.map((name) => [name, middle(name)]));
  return { ...figures, peak_rss_bytes: median(outcomes.map((outcome) => outcome.peak_rss_bytes)) };
}

function describe({ peak_rss_bytes, ...figures }: Record<string, number>): string {
  const parts = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  return [...parts, `${(peak_rss_bytes! / 1e9).toFixed(2)} GB`].join(", ");
}
