// npm run bench -- NAME [--json] [--venv DIR] [--runs N] [more…]: readable lines on stderr, and as the last line of
// stdout one JSON object. `-- --list` names the benches: every file beside this one that exports `bench`.

import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Bench, BenchOptions } from "./measure.ts";
import { describeMachine } from "./measure.ts";

const USAGE = "npm run bench -- NAME [--json] [--venv DIR] [--runs N] [more…], or -- --list";

process.exitCode = await main(process.argv.slice(2));

async function main(tokens: readonly string[]): Promise<number> {
  const { own, rest } = splitTokens(tokens);
  const benches = await loadBenches();
  if (own.list) return list(benches);
  const [name, ...args] = rest;
  const bench = benches.find((candidate) => candidate.name === name);
  const runs = Number(own.runs ?? 3);
  if (!bench || !Number.isInteger(runs) || runs < 1) {
    const names = benches.map((candidate) => candidate.name).join(", ");
    console.error(`Expected ${USAGE}, with one of the names ${names}; found "${tokens.join(" ")}"`);
    return 2;
  }
  const log = own.json ? () => {} : (text: string) => console.error(text);
  return measure(bench, { runs, venv: own.venv ?? null, args, log });
}

async function measure(bench: Bench, options: BenchOptions): Promise<number> {
  options.log(`${bench.name}: ${bench.summary} (${options.runs} runs)`);
  const result = await bench.run(options);
  const { value, unit, peer, peer_value, peak_rss_bytes, details } = result;
  const ratio = peer_value === null ? null : value / peer_value;
  options.log(`${bench.name}: ${value} ${unit}${peer === null ? "" : `, ${peer}: ${peer_value} ${unit}`}`);
  console.log(
    JSON.stringify({
      ...{ name: bench.name, value, unit, peer, peer_value, ratio, peak_rss_bytes },
      ...{ runs: options.runs, machine: describeMachine() },
      ...(details === undefined ? {} : { details }),
    }),
  );
  return 0;
}

function list(benches: readonly Bench[]): number {
  for (const bench of benches) console.log(`${bench.name.padEnd(12)} ${bench.summary}`);
  return 0;
}

async function loadBenches(): Promise<Bench[]> {
  const files = readdirSync(import.meta.dirname)
    .filter((file) => /^[\w-]+\.ts$/.test(file) && file !== "main.ts" && file !== "measure.ts")
    .sort();
  const modules = await Promise.all(
    files.map((file) => import(new URL(file, import.meta.url).href) as Promise<{ readonly bench?: Bench }>),
  );
  return modules.flatMap((module) => module.bench ?? []);
}

/** Our options; everything else, the name first, is the bench's. */
function splitTokens(tokens: readonly string[]) {
  const options = {
    json: { type: "boolean" },
    list: { type: "boolean" },
    venv: { type: "string" },
    runs: { type: "string" },
  } as const;
  const { values, tokens: parts } = parseArgs({
    args: [...tokens],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const ours = new Set(
    parts.flatMap((part) => {
      if (part.kind !== "option" || !Object.hasOwn(options, part.name)) return [];
      return part.value !== undefined && !part.inlineValue ? [part.index, part.index + 1] : [part.index];
    }),
  );
  const own = values as { json?: boolean; list?: boolean; venv?: string; runs?: string };
  return { own, rest: tokens.filter((_, index) => !ours.has(index)) };
}
