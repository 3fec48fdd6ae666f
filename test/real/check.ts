// By hand, on real repositories: node --import tsx test/real/check.ts REPOSITORY…
// Whether the dataset is all of git's records and nothing else, whether git itself applies every kept diff to its own
// old content and gets its own new one, whether two runs give the same bytes, and whether a run that only reads what
// came later equals one from nothing.

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Example } from "../../src/dataset/example.ts";
import { type Dropped, readExamples, readManifest, splits } from "../../src/dataset/store.ts";
import {
  assertReapplies,
  byKey,
  keyOf,
  keyOfRecord,
  type OracleRecord,
  recordsOf,
} from "../history/oracle.ts";
import { plainGit } from "../history/plain-git.ts";
import { countBy } from "../history/reading.ts";
import { makeTemporary, type Temporary } from "../history/temporary.ts";
import { run } from "../tiny.ts";

const BATCH = 1000;
const LATER_COMMITS = [1, 40, 300];

const print = (text: string) => process.stdout.write(`${text}\n`);

async function read(repository: string, folder: string): Promise<number> {
  const started = performance.now();
  const { code, stderr } = await run(["history", repository, "--output", folder, "--quiet"]);
  assert.equal(code, 0, stderr);
  return (performance.now() - started) / 1000;
}

function* droppedOf(folder: string): Generator<Dropped> {
  for (const line of readFileSync(join(folder, "dropped.jsonl"), "utf8").split("\n")) {
    if (line !== "") yield JSON.parse(line) as Dropped;
  }
}

function* examplesOf(folder: string): Generator<Example> {
  for (const split of splits) yield* readExamples(folder, split);
}

/** Every record of git is one line, and no line is anything else. */
function checkRecords(folder: string, records: readonly OracleRecord[]): void {
  const wanted = countBy(records.map(keyOfRecord));
  const found = new Map<string, number>();
  const put = ({ commit, path }: { commit: string; path: string }) => {
    const key = keyOf(commit, path);
    found.set(key, (found.get(key) ?? 0) + 1);
  };
  let examples = 0;
  let windows = 0;
  for (const example of examplesOf(folder)) {
    put(example);
    examples++;
    if (example.old?.includes("\r\n") || example.diff.includes("\r\n")) windows++;
  }
  const reasons: string[] = [];
  for (const drop of droppedOf(folder)) {
    put(drop);
    reasons.push(drop.reason);
  }
  const missing = [...wanted].filter(([key, count]) => found.get(key) !== count);
  const extra = [...found].filter(([key]) => !wanted.has(key));
  assert.deepEqual([missing.slice(0, 5), extra.slice(0, 5)], [[], []]);
  const { counters } = readManifest(folder);
  assert.equal(counters["records"], records.length);
  assert.equal(counters["examples"], examples);
  for (const [reason, count] of countBy(reasons)) assert.equal(counters[reason], count, reason);
  assert.equal(examples + reasons.length, records.length);
  print(
    `  ${counters["commits"]} commits, ${records.length} records of git: ${examples} examples, ${reasons.length} dropped`,
  );
  print(`  ${[...countBy(reasons)].map(([reason, count]) => `${reason} ${count}`).join(", ")}`);
  const odd = records.filter(({ oldPath, newPath }) => /[^ -~]/.test(oldPath + newPath));
  print(`  ${odd.length} records with names beyond ASCII, ${windows} examples with Windows line ends`);
}

async function checkDiffs(
  repository: string,
  folder: string,
  records: readonly OracleRecord[],
): Promise<void> {
  const keyed = byKey(records);
  let batch: Example[] = [];
  let proven = 0;
  const flush = async () => {
    await assertReapplies(repository, batch, keyed);
    proven += batch.length;
    batch = [];
  };
  for (const example of examplesOf(folder)) {
    batch.push(example);
    if (batch.length === BATCH) await flush();
  }
  await flush();
  print(`  ${proven} kept diffs applied by git to its own old contents give its own new ones`);
}

function assertEqualFolders(one: string, two: string, what: string): void {
  assert.deepEqual(readManifest(one).sha256, readManifest(two).sha256, what);
  print(`  ${what}: the same bytes`);
}

/** Reads a clone that ends earlier, lets it grow, and reads it again into the same folder. */
async function checkGrowth(repository: string, here: Temporary): Promise<void> {
  const clone = here.fresh();
  await plainGit(
    ["clone", "--quiet", "--bare", "--shared", "--no-tags", "--single-branch", repository, clone],
    {
      cwd: here.folder,
    },
  );
  const ask = async (...args: string[]) => (await plainGit(args, { cwd: clone })).trim();
  const [branch, tip] = [await ask("symbolic-ref", "HEAD"), await ask("rev-parse", "HEAD")];
  const whole = here.fresh();
  const full = await read(clone, whole);
  for (const count of LATER_COMMITS) {
    const folder = here.fresh();
    await ask("update-ref", branch, `${tip}~${count}`);
    await read(clone, folder);
    await ask("update-ref", branch, tip);
    const later = await read(clone, folder);
    assertEqualFolders(
      folder,
      whole,
      `${count} commits later (${later.toFixed(1)} s; from nothing ${full.toFixed(1)} s)`,
    );
    rmSync(folder, { recursive: true });
  }
}

async function check(repository: string): Promise<void> {
  const here = makeTemporary();
  try {
    print(repository);
    const [one, two] = [here.fresh(), here.fresh()];
    const seconds = [await read(repository, one), await read(repository, two)];
    assertEqualFolders(one, two, `two runs (${seconds.map((value) => `${value.toFixed(1)} s`).join(", ")})`);
    const records = await recordsOf(repository);
    checkRecords(one, records);
    await checkDiffs(repository, one, records);
    await checkGrowth(repository, here);
  } finally {
    here.dispose();
  }
}

for (const repository of process.argv.slice(2)) await check(resolve(repository));
