// Reads commits and their changes from one `git log --raw -p -z` stream, oldest first, in topological order, so
// that memory does not grow with the history. It decides nothing about what is worth keeping.

import { UserError } from "../base/errors.ts";
import type { LogEntry } from "./change.ts";
import { runGit, streamGit } from "./git.ts";
import { createLogParser } from "./parser.ts";
import { placeOf, revisionsOf, type Shadow } from "./shadow.ts";

export type LogOptions = {
  /** Only the newest so many commits; `null` for all. */
  readonly maxCommits: number | null;
  /** Patch sections larger than this are counted but not kept. */
  readonly maxSectionBytes: number;
  /** Contents larger than this are not compared by git, which calls them binary. */
  readonly bigFileBytes: number;
  readonly signal?: AbortSignal | undefined;
};

// Each field ends with NUL, which no field can contain; the parser counts them.
const FORMAT = "--format=tformat:%H%x00%P%x00%an%x00%ct%x00%B%x00%x1e%x00";

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

/** The arguments of the stream; a benchmark runs them alone to know what git itself costs. */
export function logArguments(revisions: readonly string[], options: LogOptions): string[] {
  return [
    "-c",
    `core.bigFileThreshold=${options.bigFileBytes}`,
    "log",
    ...limit(options.maxCommits),
    "--reverse",
    "--topo-order",
    "--diff-merges=off",
    "--encoding=UTF-8",
    "--no-show-signature",
    "--no-notes",
    "--no-mailmap",
    "--no-color",
    "--no-decorate",
    FORMAT,
    ...DIFF,
    ...revisions,
    "--",
  ];
}

/** Number of commits that `readLog` will yield. */
export async function countCommits(shadow: Shadow, options: LogOptions): Promise<number> {
  const args = ["rev-list", "--count", ...limit(options.maxCommits), ...revisionsOf(shadow), "--"];
  const { stdout, stderr, exitCode } = await runGit(args, placeOf(shadow, options.signal));
  if (exitCode !== 0) throw describeFailure(stderr);
  return Number(stdout.toString());
}

/** The commits that may have examples, in the order of `readLog`: no merges, nothing at the edge of a shallow clone. */
export async function listCommits(shadow: Shadow, options: LogOptions): Promise<string[]> {
  const order = ["--reverse", "--topo-order", "--parents"];
  const args = ["rev-list", ...limit(options.maxCommits), ...order, ...revisionsOf(shadow), "--"];
  const { stdout, stderr, exitCode } = await runGit(args, placeOf(shadow, options.signal));
  if (exitCode !== 0) throw describeFailure(stderr);
  const lines = stdout.toString("latin1").split("\n").filter(Boolean);
  const ids = lines.map((line) => line.split(" ")).filter(([, ...parents]) => parents.length < 2);
  return ids.map(([commit]) => commit!).filter((commit) => !shadow.shallow.has(commit));
}

/** Every commit and, after each, its changes. */
export async function* readLog(shadow: Shadow, options: LogOptions): AsyncGenerator<LogEntry> {
  const child = streamGit(logArguments(revisionsOf(shadow), options), placeOf(shadow, options.signal));
  child.stdin.end();
  const hashLength = shadow.algorithm === "sha256" ? 64 : 40;
  const parser = createLogParser({ hashLength, maxSectionBytes: options.maxSectionBytes });
  try {
    for await (const chunk of child.stdout) yield* parser.push(chunk as Buffer);
    const { exitCode, stderr } = await child.done;
    if (exitCode !== 0) throw describeFailure(stderr);
    yield* parser.end();
  } finally {
    child.kill();
    await child.done.catch(() => {});
  }
}

function limit(maxCommits: number | null): string[] {
  return maxCommits === null ? [] : [`--max-count=${maxCommits}`];
}

function describeFailure(stderr: string): UserError {
  const said = stderr.trim().split("\n").at(-1) ?? "";
  return new UserError(`Expected a readable history, found: ${said}; run "git fsck" in the repository`);
}
