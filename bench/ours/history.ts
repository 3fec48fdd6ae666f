// One arm of the bench `history`, measured in a process of its own: git alone, reading alone, or the whole verb; and
// for its parts, the verb again under Node's profiler. Prints one JSON line.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { join } from "node:path";
import { defaultsOf } from "../../src/base/options.ts";
import type { Example } from "../../src/dataset/example.ts";
import { createLineBuffer } from "../../src/dataset/line-buffer.ts";
import { openBlobs } from "../../src/history/blobs.ts";
import type { Change, LogCommit } from "../../src/history/change.ts";
import { batchesOf, createJoiner, type JoinedBatch, type JoinRules } from "../../src/history/contents.ts";
import { streamsFor } from "../../src/history/deal.ts";
import { streamGit } from "../../src/history/git.ts";
import { readLog, walkArguments } from "../../src/history/log.ts";
import { historyOptions, logOptionsOf, selectionOf } from "../../src/history/options.ts";
import { listCommits } from "../../src/history/order.ts";
import { dropByRecord } from "../../src/history/reasons.ts";
import { openShadow, placeOf, revisionsOf } from "../../src/history/shadow.ts";
import { createSlabs } from "../../src/history/slabs.ts";
import { writeDataset } from "../../src/history/write.ts";
import { sumParts } from "./parts.ts";
import { stopwatch } from "./stopwatch.ts";

type Job = { readonly arm: string; readonly repository: string; readonly folder: string };

type Found = Readonly<Record<string, unknown>>;

const options = defaultsOf(historyOptions);
const BATCHES_AT_ONCE = 6;
const BYTES_PER_WRITE = 1 << 20;

/** What this process needs is not what git needs. */
const NOT_OURS = { cpu_seconds: null, peak_rss_bytes: null };

const arms: Readonly<Record<string, (job: Job) => Promise<Found>>> = {
  git: runGitAlone,
  log: runLogAlone,
  reading: readAll,
  verb: (work) => runVerb(work, null),
  parts: profileVerb,
};

const job = JSON.parse(process.argv.at(-1)!) as Job;
mkdirSync(job.folder, { recursive: true });
const stop = stopwatch();
const found = await arms[job.arm]!(job);
console.log(JSON.stringify({ ...stop(), ...found }));

/** `git log -p -M` on its own walk, as a person types it; the output is thrown away: this is what git costs when its
 * reader costs nothing. Its clock starts with git itself. */
async function runGitAlone({ repository }: Job): Promise<Found> {
  const shadow = await openShadow(repository);
  try {
    const args = ["log", "-p", "-M", "--no-merges", ...revisionsOf(shadow)];
    const { PATH } = process.env;
    const env = { PATH, GIT_DIR: shadow.gitDir, GIT_OBJECT_DIRECTORY: shadow.objectDirectory };
    const stop = stopwatch();
    const child = spawn("git", args, { env, stdio: ["ignore", "ignore", "inherit"] });
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`Expected git to end well, found exit code ${code}`);
    return { ...stop(), ...NOT_OURS };
  } finally {
    shadow.dispose();
  }
}

/** The same with the flags and settings of our reading, which is what our reading itself waits for. */
async function runLogAlone({ repository }: Job): Promise<Found> {
  const shadow = await openShadow(repository);
  try {
    const stop = stopwatch();
    const child = streamGit(walkArguments(logOptionsOf(options), revisionsOf(shadow)), placeOf(shadow));
    child.stdin.end();
    child.stdout.resume();
    const { exitCode, stderr } = await child.done;
    if (exitCode !== 0) throw new Error(stderr);
    return { ...stop(), ...NOT_OURS };
  } finally {
    shadow.dispose();
  }
}

/** Records parsed, old contents joined, JSON lines written; nothing is checked. */
async function readAll({ repository, folder }: Job): Promise<Found> {
  const shadow = await openShadow(repository);
  const blobs = openBlobs(shadow);
  const file = openSync(join(folder, "reading.jsonl"), "w");
  const buffer = createLineBuffer();
  const rules: JoinRules = {
    maxFileBytes: options.max_file_bytes,
    bigFileBytes: logOptionsOf(options).bigFileBytes,
    dropByRecord: (change, commit) => dropByRecord(change, commit, shadow.shallow),
  };
  let lines = 0;
  const slabs = createSlabs();
  const write = ({ entries, slab }: JoinedBatch) => {
    for (const entry of entries) {
      if (entry.kind === "commit" || !("old" in entry.found) || entry.found.old === "kept") continue;
      const { commit, change, found } = entry;
      buffer.add(toExample(commit, change), { old: found.old as Buffer | null, diff: found.section });
      lines++;
    }
    slabs.give(slab);
    if (buffer.size() >= BYTES_PER_WRITE) writeSync(file, buffer.take());
  };
  try {
    const { selected } = await listCommits(shadow, selectionOf(options));
    const commits = selected.map(({ hash }) => hash);
    const pending: Promise<JoinedBatch>[] = [];
    const join = createJoiner({ reader: blobs, slabs }, rules);
    const log = { ...logOptionsOf(options), streams: streamsFor(commits.length, 0) };
    for await (const batch of batchesOf(readLog(shadow, commits, log), rules)) {
      pending.push(join(batch));
      if (pending.length === BATCHES_AT_ONCE) write(await pending.shift()!);
    }
    while (pending.length > 0) write(await pending.shift()!);
    writeSync(file, buffer.take());
    return { lines };
  } finally {
    closeSync(file);
    await blobs.dispose();
    shadow.dispose();
  }
}

/** Without `old` and `diff`, which are written from their bytes. */
function toExample(commit: LogCommit, change: Change): Example {
  return {
    message: commit.message!,
    path: change.oldPath.toString("utf8"),
    old: null,
    diff: "",
    commit: commit.hash,
    parent: commit.parents[0] ?? null,
    time: commit.time,
    author: commit.author,
    weight: 1,
  };
}

async function runVerb({ repository, folder }: Job, jobs: number | null): Promise<Found> {
  const source = writeDataset({ repository, folder: join(folder, "data") }, { ...options, jobs });
  for (;;) {
    const next = await source.next();
    if (next.done) return { counters: next.value.counters };
  }
}

async function profileVerb(work: Job): Promise<Found> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 1000 });
  await session.post("Profiler.start");
  // All in this thread: only it is profiled.
  await runVerb(work, 0);
  const { profile } = await session.post("Profiler.stop");
  return { parts: sumParts(profile) };
}
