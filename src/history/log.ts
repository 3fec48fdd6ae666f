// Reads the changes of given commits, in the order given, from one `git log --raw -p -z` stream, so that memory does
// not grow with the history. It decides nothing about what is worth keeping.

import { setTimeout as pause } from "node:timers/promises";
import { refuseBombs } from "./breadth.ts";
import type { LogEntry } from "./change.ts";
import { streamGit } from "./git.ts";
import { describeWalkFailure } from "./order.ts";
import { createLogParser } from "./parser.ts";
import { placeOf, type Shadow } from "./shadow.ts";
import { letGo } from "./slabs.ts";

export type LogOptions = {
  /** A merge's changes are those to its first parent; otherwise it has none. */
  readonly firstParent: boolean;
  /** Patch sections larger than this are counted but not kept. */
  readonly maxSectionBytes: number;
  /** Contents larger than this are not compared by git, which calls them binary. */
  readonly bigFileBytes: number;
  readonly signal?: AbortSignal | undefined;
};

// Each field ends with NUL, which no field can contain; the parser counts them.
const FORMAT = "--format=tformat:%H%x00%P%x00%an%x00%ae%x00%ct%x00%B%x00%x1e%x00";

const DIFF = [
  "-r",
  "--raw",
  "-p",
  "-z",
  "--full-index",
  "--no-abbrev",
  "-M50%",
  "-U3",
  "--inter-hunk-context=0",
  "--diff-algorithm=histogram",
  "--indent-heuristic",
  "--no-ext-diff",
  "--no-textconv",
  "--no-relative",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  "--submodule=short",
  "--ignore-submodules=none",
  "-O/dev/null",
];

/** The arguments of the stream, which takes commit ids on its standard input; a benchmark runs them alone. */
export function logArguments(options: LogOptions): string[] {
  return [
    "-c",
    `core.bigFileThreshold=${options.bigFileBytes}`,
    "log",
    "--no-walk=unsorted",
    "--stdin",
    `--diff-merges=${options.firstParent ? "first-parent" : "off"}`,
    "--encoding=UTF-8",
    "--no-show-signature",
    "--no-notes",
    "--no-mailmap",
    "--no-color",
    "--no-decorate",
    FORMAT,
    ...DIFF,
    "--",
  ];
}

/** Every commit of `commits`, and after each its changes, as many at once as have arrived. */
export async function* readLog(
  shadow: Shadow,
  commits: readonly string[],
  options: LogOptions,
): AsyncGenerator<readonly LogEntry[]> {
  // Without ids git would show what is checked out.
  if (commits.length === 0) return;
  const child = streamGit(logArguments(options), placeOf(shadow, options.signal));
  child.stdin.end(commits.map((commit) => `${commit}\n`).join(""));
  const hashLength = shadow.algorithm === "sha256" ? 64 : 40;
  const parser = createLogParser({ hashLength, maxSectionBytes: options.maxSectionBytes });
  let seen = 0;
  let bomb: unknown;
  // Where git is: it may have said the last commit and not its changes, or be at the next one.
  const check = () =>
    refuseBombs(shadow, commits.slice(Math.max(0, seen - 1), seen + 2), options.signal).catch((error) => {
      bomb = error;
      child.kill();
    });
  try {
    for await (const chunk of watched(child.stdout as AsyncIterable<Buffer>, check)) {
      const entries = parser.push(chunk);
      letGo(chunk);
      for (const { kind } of entries) if (kind === "commit") seen++;
      yield entries;
    }
    const { exitCode, stderr } = await child.done;
    if (bomb !== undefined) throw bomb;
    if (exitCode !== 0) throw describeWalkFailure(stderr);
    yield parser.end();
  } finally {
    child.kill();
    await child.done.catch(() => {});
  }
}

const SILENCE_MS = 3000;
// git writes four kilobytes at a time, and to read each as it comes costs nearly as much as to parse it. A pipe holds
// 64 kilobytes, which git does not fill in this time.
const GATHER_MS = 2;
const SMALL_BYTES = 1 << 15;

/** The pieces of a stream, small ones gathered; `silent` is called where the next one is waited for so long. */
async function* watched(stream: AsyncIterable<Buffer>, silent: () => void): AsyncGenerator<Buffer> {
  const pieces = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(silent, SILENCE_MS);
      const next = await pieces.next().finally(() => clearTimeout(timer));
      if (next.done) return;
      // Whoever takes a piece lets its memory go.
      const { length } = next.value;
      yield next.value;
      if (length < SMALL_BYTES) await pause(GATHER_MS);
    }
  } finally {
    await pieces.return?.();
  }
}
