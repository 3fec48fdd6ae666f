// Times the harvest of real repositories against git alone, with the same flags and the output thrown away. Two
// figures: reading (records parsed, old contents joined, JSON lines written) and the whole verb with every check.
// Runs are interleaved, so that a noisy minute hurts all sides alike; medians are reported. Prints nothing.

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { defaultsOf } from "../src/base/options.ts";
import { openBlobs } from "../src/history/blobs.ts";
import type { Change, LogCommit } from "../src/history/change.ts";
import { joinContents } from "../src/history/contents.ts";
import { streamGit } from "../src/history/git.ts";
import { historyOptions, logOptionsOf } from "../src/history/harvest.ts";
import { logArguments, readLog } from "../src/history/log.ts";
import { openShadow, placeOf, revisionsOf } from "../src/history/shadow.ts";
import { writeDataset } from "../src/history/write.ts";
import { interleave, median } from "./measure.ts";

export type HistoryBench = {
  readonly name: "history";
  /** Seconds of the whole verb, all repositories together. */
  readonly value: number;
  readonly unit: "s";
  readonly peer: string;
  readonly peer_value: number;
  readonly ratio: number;
  readonly peak_rss_bytes: number;
  readonly runs: number;
  readonly machine: string;
  /** Seconds of reading alone, and its ratio to the peer. */
  readonly reading: number;
  readonly reading_ratio: number;
  readonly repositories: readonly RepositoryBench[];
};

export type RepositoryBench = {
  readonly repository: string;
  readonly git: number;
  readonly reading: number;
  readonly verb: number;
  readonly counters: Readonly<Record<string, number>>;
};

const options = defaultsOf(historyOptions);
const LINES_PER_WRITE = 100;

/** Harvests each repository `runs` times. */
export async function benchHistory(setup: {
  readonly repos: readonly string[];
  readonly runs: number;
}): Promise<HistoryBench> {
  const repositories: RepositoryBench[] = [];
  for (const repository of setup.repos) repositories.push(await benchRepository(repository, setup.runs));
  const total = (part: "git" | "reading" | "verb") => repositories.reduce((sum, one) => sum + one[part], 0);
  return {
    name: "history",
    value: total("verb"),
    unit: "s",
    peer: "git log -p -M",
    peer_value: total("git"),
    ratio: total("verb") / total("git"),
    peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    runs: setup.runs,
    machine: `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    reading: total("reading"),
    reading_ratio: total("reading") / total("git"),
    repositories,
  };
}

async function benchRepository(repository: string, runs: number): Promise<RepositoryBench> {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-bench-"));
  let counters: Readonly<Record<string, number>> = {};
  try {
    const seconds = await interleave(
      {
        git: () => time(() => runLogAlone(repository)),
        reading: () => time(() => readAll(repository, join(folder, "reading.jsonl"))),
        verb: () =>
          time(async () => {
            counters = await runVerb(repository, join(folder, "data"));
          }),
      },
      runs,
    );
    const { git, reading, verb } = seconds;
    return { repository, git: median(git), reading: median(reading), verb: median(verb), counters };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function time(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

/** The output is thrown away: this is what git costs when its reader costs nothing. */
async function runLogAlone(repository: string): Promise<void> {
  const shadow = await openShadow(repository);
  try {
    const child = streamGit(logArguments(revisionsOf(shadow), logOptionsOf(options)), placeOf(shadow));
    child.stdin.end();
    child.stdout.resume();
    const { exitCode, stderr } = await child.done;
    if (exitCode !== 0) throw new Error(stderr);
  } finally {
    shadow.dispose();
  }
}

/** Records parsed, old contents joined, JSON lines written; nothing is checked. */
async function readAll(repository: string, path: string): Promise<void> {
  const shadow = await openShadow(repository);
  const blobs = openBlobs(shadow);
  const file = openSync(path, "w");
  const log = logOptionsOf(options);
  const limits = {
    maxFileBytes: options.max_file_bytes,
    bigFileBytes: log.bigFileBytes,
    shallow: shadow.shallow,
  };
  try {
    let waiting: string[] = [];
    for await (const entry of joinContents(readLog(shadow, log), blobs, limits)) {
      if (entry.kind === "change" && "old" in entry.found)
        waiting.push(toLine(entry.commit, entry.change, entry.found.old));
      if (waiting.length < LINES_PER_WRITE) continue;
      writeSync(file, waiting.join(""));
      waiting = [];
    }
    writeSync(file, waiting.join(""));
  } finally {
    closeSync(file);
    await blobs.dispose();
    shadow.dispose();
  }
}

function toLine(commit: LogCommit, change: Change, old: Buffer | null): string {
  const record = {
    message: commit.message,
    path: change.oldPath.toString("utf8"),
    old: old?.toString("utf8") ?? null,
    diff: change.section?.toString("utf8"),
    commit: commit.hash,
    parent: commit.parents[0] ?? null,
    time: commit.time,
    author: commit.author,
  };
  return `${JSON.stringify(record)}\n`;
}

async function runVerb(repository: string, folder: string): Promise<Readonly<Record<string, number>>> {
  const source = writeDataset({ repository, folder }, options);
  for (;;) {
    const next = await source.next();
    if (next.done) return next.value.counters;
  }
}
