// What the filters left out of a dataset, to be judged by eye: node --import tsx test/dropped.ts DATASET REPO
// [--reason NAME] [--sample N]. Counts by reason and detail, then samples spread over the history; of secrets the
// lines that were taken for one. No part of the suite: it is for repositories of the world.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readLines } from "../src/dataset/lines.ts";
import type { Dropped } from "../src/dataset/store.ts";
import { createScanner } from "../src/filters/secrets.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { reason: { type: "string" }, sample: { type: "string", default: "5" } },
});
const [dataset, repository] = positionals;
if (dataset === undefined || repository === undefined) throw new Error("Expected DATASET and REPO");

const byReason = new Map<string, Dropped[]>();
for (const line of readLines(join(dataset, "dropped.jsonl"))) {
  const record = JSON.parse(line) as Dropped;
  if (values.reason !== undefined && record.reason !== values.reason) continue;
  byReason.set(record.reason, [...(byReason.get(record.reason) ?? []), record]);
}
for (const [reason, records] of [...byReason].sort(([, a], [, b]) => b.length - a.length)) {
  console.log(`\n${reason}: ${records.length}`);
  for (const [detail, count] of countDetails(records)) console.log(`  ${count} ${detail}`);
  for (const record of spread(records, Number(values.sample))) console.log(describe(record));
}

function countDetails(records: readonly Dropped[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { detail = "" } of records) counts.set(detail, (counts.get(detail) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).slice(0, 8);
}

function spread<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, Math.floor(items.length / count));
  return items.filter((_, at) => at % step === 0).slice(0, count);
}

function describe({ commit, path, reason }: Dropped): string {
  const args = ["--format=%an | %s", "--no-ext-diff", "--no-textconv", commit, "--", `:(literal)${path}`];
  const shown = execFileSync("git", ["-C", repository!, "show", ...args], { maxBuffer: 1 << 28 }).toString();
  const [subject = "", ...lines] = shown.split("\n");
  const changed = lines.filter((line) => /^[+-](?!\+\+|--)/.test(line));
  const telling = reason === "secret" ? lines.filter((line) => isAlarm(line.slice(1))) : changed;
  const short = telling.slice(0, 3).map((line) => `      ${line.slice(0, 140)}\n`);
  return `  ${commit.slice(0, 10)} ${path} | ${subject}\n${short.join("")}`;
}

function isAlarm(line: string): boolean {
  const commit = { hash: line, message: line, author: "", mail: "", time: 0, merge: false };
  const nothing = { path: "", old: null, diff: "", oldOid: "1".repeat(40), newOid: "2".repeat(40) };
  return createScanner().scan(commit, nothing) !== undefined;
}
