// npm run bench -- NAME [--json] [--venv DIR] [--runs N] [more…]: readable lines on stderr, and as the last line of
// stdout one JSON object. `-- --list` names the benches: every file beside this one that exports `bench`;
// `-- --picture FILE` draws a file of such lines.

import { existsSync, readdirSync } from "node:fs";
import { UsageError, UserError } from "../src/base/errors.ts";
import { readText } from "../src/base/files.ts";
import type { Option } from "../src/base/options.ts";
import { nearestName } from "../src/base/options.ts";
import { type Bench, type BenchSetup, describeMachine, rounded } from "./measure.ts";
import { COMMON, readArguments } from "./options.ts";
import { drawPicture } from "./picture.ts";

const USAGE = "npm run bench -- NAME [--json] [--venv DIR] [--runs N] [more…]";

process.exitCode = await main(process.argv.slice(2));

async function main(tokens: readonly string[]): Promise<number> {
  try {
    const benches = await loadBenches();
    if (tokens.includes("--list")) return list(benches);
    if (tokens[0] === "--picture") return picture(tokens[1]);
    const [name, ...rest] = tokens;
    const bench = benches.find((candidate) => candidate.name === name);
    if (!bench) throw unknownBench(benches, tokens);
    return await measure(bench, rest);
  } catch (error) {
    if (!(error instanceof UserError || error instanceof UsageError)) throw error;
    console.error(error.message);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function measure(bench: Bench, tokens: readonly string[]): Promise<number> {
  const { values, places } = readArguments(bench, tokens);
  const { json, venv } = values;
  const runs = values.runs ?? bench.runs;
  if (runs < 1) throw new UsageError(`Expected at least one run for --runs, found ${runs}`);
  const log: BenchSetup["log"] = json ? () => {} : (text) => console.error(text);
  // Before the runs: afterwards the load is our own.
  const machine = describeMachine();
  log(`${bench.name}: ${bench.summary} (${runs} runs, load average ${machine.load_average_before})`);
  const { value, unit, peer, peer_value, peak_rss_bytes, details } = await bench.run({
    ...{ runs, venv, places, values, log },
  });
  const ratio = peer_value === null ? null : rounded(value / peer_value);
  log(`${bench.name}: ${value} ${unit}${peer === null ? "" : `, ${peer}: ${peer_value} ${unit}`}`);
  console.log(
    JSON.stringify({
      ...{ name: bench.name, value, unit, peer, peer_value, ratio, peak_rss_bytes },
      ...{ runs, machine, ...details },
    }),
  );
  return 0;
}

function picture(file?: string): number {
  if (file === undefined || !existsSync(file)) {
    throw new UsageError(
      `Expected --picture FILE, a file of lines that benches printed, found ${file ?? "none"}`,
    );
  }
  process.stdout.write(drawPicture(readText(file).split("\n")));
  return 0;
}

function list(benches: readonly Bench[]): number {
  for (const bench of benches) {
    const { name, summary, takes } = bench;
    console.log(`${name.padEnd(12)} ${summary}${takes === null ? "" : `; takes ${takes}`}`);
    for (const row of Object.entries({ ...bench.options, ...COMMON })) console.log(optionLine(bench, row));
  }
  return 0;
}

function optionLine({ runs }: Bench, [name, option]: readonly [string, Option]): string {
  const flag = `--${name}${option.type === "boolean" ? "" : ` ${option.value ?? "VALUE"}`}`;
  const fallback = name === "runs" ? runs : option.default;
  const shown = fallback === null || fallback === false ? "" : ` [${fallback}]`;
  return `  ${flag.padEnd(18)} ${option.help}${shown}`;
}

function unknownBench(benches: readonly Bench[], tokens: readonly string[]): UsageError {
  const names = benches.map((candidate) => candidate.name);
  const near = nearestName(tokens[0] ?? "", names);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  return new UsageError(
    `Expected ${USAGE}, with one of the names ${names.join(", ")}, or -- --list; found "${tokens.join(" ")}"${hint}`,
  );
}

async function loadBenches(): Promise<Bench[]> {
  const files = readdirSync(import.meta.dirname)
    .filter((file) => /^[\w-]+\.ts$/.test(file) && file !== "main.ts")
    .sort();
  const modules = await Promise.all(
    files.map((file) => import(new URL(file, import.meta.url).href) as Promise<{ readonly bench?: Bench }>),
  );
  return modules.flatMap((module) => module.bench ?? []);
}
