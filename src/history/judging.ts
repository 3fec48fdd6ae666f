// Judges batches of cases, in this thread or in others of their own, which matters where git itself keeps only one
// core busy. Both ways run the same function, so they give the same; answers come in the order of the batches.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { startBesideNursery } from "./nursery.ts";
import type {
  Answer,
  AskedCase,
  FilterSource,
  JudgedBatch,
  JudgeRequest,
  JudgeRules,
  KeepingBatch,
} from "./request.ts";
import type { Slabs } from "./slabs.ts";

export type Judges = {
  /** Batches that are judged at the same time. */
  readonly width: number;
  /** Ids of contents that are kept for cases to come, or will be when the cases before them are judged, as far as is known;
   * whoever gives cases adds their new ones. Several threads keep none: each judges other cases. */
  readonly kept: Set<string> | undefined;
  /** `slab` is given back to whoever keeps the slabs, and `out` is where the lines are, unless they are elsewhere. */
  judge(cases: readonly AskedCase[], slab: ArrayBuffer): Promise<JudgedBatch>;
  dispose(): Promise<void>;
};

// A thread takes a fraction of a second to start, which a short history does not earn back.
const COMMITS_WORTH_THREADS = 1000;
const MOST_THREADS = 4;

export type JudgesOptions = {
  readonly source: JudgeRules;
  readonly slabs: Slabs;
  /** How many commits are to be judged. */
  readonly commits: number;
  /** How many threads beside this one; `null` for as many as are worth it. */
  readonly jobs: number | null;
  /** Threads that were started before all this was known. */
  readonly early?: EarlyThreads | undefined;
};

export function openJudges({ source, slabs, commits, jobs, early }: JudgesOptions): Judges {
  const threads = jobs ?? (commits < COMMITS_WORTH_THREADS ? 0 : mostThreads());
  if (threads > 0) return openThreads({ source, slabs, early }, threads);
  const loaded = import("./batch.ts").then(({ createBatchJudge }) =>
    createBatchJudge({ ...source, keeps: true }),
  );
  // Whoever judges meets a failure; until then it must not count as unhandled.
  loaded.catch(() => {});
  const outs = createOuts(slabs);
  const kept = new Set<string>();
  return {
    width: 1,
    kept,
    async judge(cases, slab) {
      const judgeBatch = await loaded;
      const batch = judgeBatch({ cases, slab, out: outs.take(slab) });
      slabs.give(slab);
      outs.note(batch);
      forget(kept, cases, batch);
      return batch;
    },
    dispose: async () => {},
  };
}

function mostThreads(): number {
  return Math.max(1, Math.min(MOST_THREADS, Math.floor(availableParallelism() / 2)));
}

/** Threads that start while it is still found out what there is to judge. */
export type EarlyThreads = {
  /** One of them, if one is left; whoever takes it ends it. */
  take(): Thread | undefined;
  /** Ends those that nobody took. */
  end(): Promise<void>;
};

/** Starts as many threads as a long history is worth; `jobs` as in `JudgesOptions`. */
export function startEarly(jobs: number | null): EarlyThreads {
  const threads = Array.from({ length: jobs ?? mostThreads() }, startThread);
  return {
    take: () => threads.shift(),
    async end() {
      await Promise.all(threads.splice(0).map((thread) => thread.end()));
    },
  };
}

/** Takes off what is kept no more, or never was. */
function forget(kept: Set<string>, cases: readonly AskedCase[], { gone, outcomes }: KeepingBatch): void {
  for (const oid of gone) kept.delete(oid);
  for (const [i, outcome] of outcomes.entries()) if (outcome === "lost") kept.delete(cases[i]!.oldOid);
}

const SHRINK = 0.75;

/** Buffers for lines, which hold old contents that the slab with the cases need not have. */
function createOuts(slabs: Slabs) {
  let expected = 0;
  return {
    take: (slab: ArrayBuffer) => slabs.take(Math.max(slab.byteLength, expected)),
    note({ lines }: JudgedBatch): void {
      expected = Math.max(lines.length, SHRINK * expected);
    },
  };
}

type Waiting = { resolve(answer: Answer): void; reject(error: unknown): void };

type Shared = Pick<JudgesOptions, "source" | "slabs" | "early">;

function openThreads({ source, slabs, early }: Shared, count: number): Judges {
  const threads = Array.from({ length: count }, () => early?.take() ?? startThread());
  for (const thread of threads) thread.begin({ ...source, keeps: count === 1 });
  const outs = createOuts(slabs);
  const kept = count === 1 ? new Set<string>() : undefined;
  let next = 0;
  return {
    width: count,
    kept,
    async judge(cases, slab) {
      const thread = threads[next++ % count]!;
      const { slab: back, ...batch } = await thread.judge({ cases, slab, out: outs.take(slab) });
      slabs.give(back);
      outs.note(batch);
      if (kept !== undefined) forget(kept, cases, batch);
      return batch;
    },
    dispose: async () => {
      await Promise.all(threads.map((thread) => thread.end()));
    },
  };
}

// Texts die young, and a small nursery is swept before they pile up: some 40 MB less than the usual one. These are two
// halves of 8 MB; half of this would save 5 MB more, and the judging would take a tenth longer.
const LIMITS = { maxYoungGenerationSizeMb: 16 };

function newWorker(): Worker {
  const options = { resourceLimits: LIMITS };
  if (!import.meta.url.endsWith(".ts"))
    return new Worker(new URL("./judging-thread.js", import.meta.url), options);
  // From source, while developing: a thread does not have the loader of the main one.
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const file = JSON.stringify(new URL("./judging-thread.ts", import.meta.url).href);
  const code = `import(${loader}).then(({ register }) => (register(), import(${file})))`;
  return new Worker(code, { ...options, eval: true });
}

type Thread = ReturnType<typeof startThread>;

function startThread() {
  const worker = startBesideNursery(newWorker);
  const waiting: Waiting[] = [];
  let ended: { readonly error: unknown } | undefined;
  const fail = (error: unknown) => {
    ended ??= { error };
    for (const { reject } of waiting.splice(0)) reject(ended.error);
  };
  worker.on("message", (answer: Answer) => waiting.shift()!.resolve(answer));
  worker.on("error", fail);
  worker.on("exit", (code) => fail(new Error(`Expected a thread to judge, found its end with code ${code}`)));
  return {
    /** Comes before the first request. */
    begin: (source: FilterSource) => worker.postMessage(source),
    judge: (request: JudgeRequest) =>
      new Promise<Answer>((resolve, reject) => {
        if (ended !== undefined) return reject(ended.error);
        waiting.push({ resolve, reject });
        worker.postMessage(request, [request.slab, request.out]);
      }),
    end: () => worker.terminate(),
  };
}
