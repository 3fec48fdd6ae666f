// Judges batches of cases, in this thread or in others of their own, which matters where git itself keeps only one
// core busy. Both ways run the same function, so they give the same; answers come in the order of the batches.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type Fingerprint, fingerprintOf } from "../dataset/fingerprint.ts";
import { createLineBuffer } from "../dataset/line-buffer.ts";
import { createFilter, type Filter, type FilterOptions, type RepositoryRules } from "../filters/filter.ts";
import { type Case, judge } from "./judge.ts";
import type { Drop } from "./reasons.ts";
import type { Slabs } from "./slabs.ts";

/** What became of one case: a line of `size` bytes and what the division compares of it, or no example. */
export type Judged = { readonly size: number; readonly print: Fingerprint } | { readonly drop: Drop };

/** `lines` are those of the examples, one after another. */
export type JudgedBatch = { readonly lines: Uint8Array; readonly outcomes: readonly Judged[] };

/** What a thread needs to make its own filter. */
export type FilterSource = { readonly options: FilterOptions; readonly rules: RepositoryRules };

/** Cases whose contents all lie in `slab`, and a buffer for the lines, of which another is made if it is too small. */
export type JudgeRequest = {
  readonly cases: readonly Case[];
  readonly slab: ArrayBuffer;
  readonly out: ArrayBuffer;
};

export type Judges = {
  /** Batches that are judged at the same time. */
  readonly width: number;
  /** `slab` is given back to whoever keeps the slabs, and `out` is where the lines are, unless they are elsewhere. */
  judge(cases: readonly Case[], slab: ArrayBuffer): Promise<JudgedBatch>;
  dispose(): Promise<void>;
};

/** Judges a batch in this thread. */
export function createBatchJudge(filter: Filter): (request: JudgeRequest) => JudgedBatch {
  const buffer = createLineBuffer();
  return ({ cases, out }) => {
    const outcomes = cases.map((one): Judged => {
      const outcome = judge(one, filter);
      if ("drop" in outcome) return outcome;
      const { example, texts } = outcome;
      return { size: buffer.add(example, texts), print: fingerprintOf(example, texts.diff) };
    });
    const taken = buffer.take();
    const lines = new Uint8Array(
      taken.length <= out.byteLength ? out : new ArrayBuffer(taken.length),
      0,
      taken.length,
    );
    lines.set(taken);
    return { lines, outcomes };
  };
}

// A thread takes a fraction of a second to start, which a short history does not earn back.
const COMMITS_WORTH_THREADS = 1000;
const MOST_THREADS = 4;

export type JudgesOptions = {
  readonly source: FilterSource;
  readonly slabs: Slabs;
  /** How many commits are to be judged. */
  readonly commits: number;
  /** How many threads beside this one; `null` for as many as are worth it. */
  readonly jobs: number | null;
};

export function openJudges({ source, slabs, commits, jobs }: JudgesOptions): Judges {
  const threads = jobs ?? threadsFor(commits);
  if (threads > 0) return openThreads({ source, slabs }, threads);
  const judgeBatch = createBatchJudge(createFilter(source.options, source.rules));
  return {
    width: 1,
    async judge(cases, slab) {
      const batch = judgeBatch({ cases, slab, out: slabs.take(slab.byteLength) });
      slabs.give(slab);
      return batch;
    },
    dispose: async () => {},
  };
}

function threadsFor(commits: number): number {
  if (commits < COMMITS_WORTH_THREADS) return 0;
  return Math.max(1, Math.min(MOST_THREADS, Math.floor(availableParallelism() / 2)));
}

/** What a thread answers: the batch, and the buffer that its cases came in. */
export type Answer = JudgedBatch & { readonly slab: ArrayBuffer };

type Waiting = { resolve(answer: Answer): void; reject(error: unknown): void };

type Shared = Pick<JudgesOptions, "source" | "slabs">;

function openThreads({ source, slabs }: Shared, count: number): Judges {
  const threads = Array.from({ length: count }, () => startThread(source));
  let next = 0;
  return {
    width: count,
    async judge(cases, slab) {
      const thread = threads[next++ % count]!;
      const { slab: back, ...batch } = await thread.judge({ cases, slab, out: slabs.take(slab.byteLength) });
      slabs.give(back);
      return batch;
    },
    dispose: async () => {
      await Promise.all(threads.map((thread) => thread.end()));
    },
  };
}

// Texts die young, and a small nursery is swept before they pile up: some 40 MB less, in the same time.
const LIMITS = { maxYoungGenerationSizeMb: 8 };

function newWorker(workerData: FilterSource): Worker {
  const options = { workerData, resourceLimits: LIMITS };
  if (!import.meta.url.endsWith(".ts"))
    return new Worker(new URL("./judging-thread.js", import.meta.url), options);
  // From source, while developing: a thread does not have the loader of the main one.
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const file = JSON.stringify(new URL("./judging-thread.ts", import.meta.url).href);
  const code = `import(${loader}).then(({ register }) => (register(), import(${file})))`;
  return new Worker(code, { ...options, eval: true });
}

function startThread(source: FilterSource) {
  const worker = newWorker(source);
  const waiting: Waiting[] = [];
  const fail = (error: unknown) => {
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  worker.on("message", (answer: Answer) => waiting.shift()!.resolve(answer));
  worker.on("error", fail);
  worker.on("exit", (code) => fail(new Error(`Expected a thread to judge, found its end with code ${code}`)));
  return {
    judge: (request: JudgeRequest) =>
      new Promise<Answer>((resolve, reject) => {
        waiting.push({ resolve, reject });
        worker.postMessage(request, [request.slab, request.out]);
      }),
    end: () => worker.terminate(),
  };
}
