// Times the harvest of real repositories against git alone, with the same flags and the output thrown away. Two
// figures: reading (records parsed, old contents joined, JSON lines written) and the whole verb with every check.
// Runs are interleaved, so that a noisy minute hurts all sides alike; medians are reported.

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { defaultsOf } from "../src/base/options.ts";
import { openBlobs } from "../src/history/blobs.ts";
import type { Change, LogCommit } from "../src/history/change.ts";
import { joinContents } from "../src/history/contents.ts";
import { streamGit } from "../src/history/git.ts";
import { historyOptions, logOptionsOf } from "../src/history/harvest.ts";
import { logArguments, readLog } from "../src/history/log.ts";
import { createSample } from "../src/history/sample.ts";
import { openShadow, placeOf, revisionsOf } from "../src/history/shadow.ts";
import { writeDataset } from "../src/history/write.ts";
import {
  type Bench,
  type BenchResult,
  type BenchSetup,
  interleave,
  median,
  ownPeakRssBytes,
  rounded,
} from "./measure.ts";

type RepositoryBench = {
  readonly repository: string;
  readonly git: number;
  readonly reading: number;
  readonly verb: number;
  readonly counters: Readonly<Record<string, number>>;
};

const options = defaultsOf(historyOptions);
const LINES_PER_WRITE = 100;

export const bench: Bench = {
  name: "history",
  summary: "seconds of the whole verb `history`, against `git log -p -M` alone",
  options: {},
  takes: "[REPOSITORY…]; none is the sample",
  runs: 3,
  run: runHistory,
};

async function runHistory({ places, runs, log }: BenchSetup): Promise<BenchResult> {
  const sample = mkdtempSync(join(tmpdir(), "codefudge-bench-sample-"));
  try {
    if (places.length === 0) await createSample(sample);
    const repositories: RepositoryBench[] = [];
    for (const repository of places.length === 0 ? [sample] : places) {
      const measured = await benchRepository(repository, runs);
      const shown = { ...measured, repository: repository === sample ? "sample" : basename(repository) };
      log(`${shown.repository}: git ${shown.git}, reading ${shown.reading}, the whole verb ${shown.verb} s`);
      repositories.push(shown);
    }
    return summarise(repositories);
  } finally {
    rmSync(sample, { recursive: true, force: true });
  }
}

function summarise(repositories: readonly RepositoryBench[]): BenchResult {
  const total = (part: "git" | "reading" | "verb") =>
    rounded(repositories.reduce((sum, one) => sum + one[part], 0));
  const details = {
    reading: total("reading"),
    reading_ratio: rounded(total("reading") / total("git")),
    repositories,
  };
  const peer = { peer: "git log -p -M", peer_value: total("git") };
  return { value: total("verb"), unit: "s", ...peer, peak_rss_bytes: ownPeakRssBytes(), details };
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
    const [alone, read, whole] = [git, reading, verb].map((arm) => rounded(median(arm)));
    return { repository, git: alone!, reading: read!, verb: whole!, counters };
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
