// Reads the changes of given commits, in the order given, from streams of what `git log --raw -p -z` prints, so that
// memory does not grow with the history. It decides nothing about what is worth keeping.

import { refuseBombs } from "./breadth.ts";
import type { LogEntry } from "./change.ts";
import { deal, inTurns } from "./deal.ts";
import { type GitStream, streamGit } from "./git.ts";
import { createLogParser } from "./parser.ts";
import { readAhead } from "./read-ahead.ts";
import type { Sections } from "./sections.ts";
import { placeOf, type Shadow } from "./shadow.ts";

export type LogOptions = {
  /** A merge's changes are those to its first parent; otherwise it has none. */
  readonly firstParent: boolean;
  /** Patch sections larger than this are counted but not kept. */
  readonly maxSectionBytes: number;
  /** Contents larger than this are not compared by git, which calls them binary. */
  readonly bigFileBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Processes of git that share the commits; one when not given. */
  readonly streams?: number;
  /** Where patch sections are kept, for who frees them. */
  readonly sections?: Sections;
};

// Each field ends with NUL, which no field can contain; the parser counts them.
const FORMAT = "--format=tformat:%H%x00%P%x00%an%x00%ae%x00%ct%x00%B%x00%x1e%x00";

const DIFF = [
  ...["--encoding=UTF-8", "--no-notes", "--no-color", FORMAT],
  ...["-r", "--raw", "-p", "-z", "--full-index", "--no-abbrev", "-M50%"],
  ...["-U3", "--inter-hunk-context=0", "--diff-algorithm=histogram", "--indent-heuristic"],
  ...["--no-ext-diff", "--no-textconv", "--no-relative", "--src-prefix=a/", "--dst-prefix=b/"],
  ...["--submodule=short", "--ignore-submodules=none", "-O/dev/null", "--"],
];

/** The arguments of the stream, which takes commit ids on its standard input and prints each as `git log` would, while
 * the next ones are still written. */
export function logArguments({ firstParent, bigFileBytes }: LogOptions): string[] {
  return [
    ...["-c", `core.bigFileThreshold=${bigFileBytes}`, "diff-tree", "--stdin", "--root", "--always"],
    `--diff-merges=${firstParent ? "first-parent" : "off"}`,
    ...DIFF,
  ];
}

/** The same of `git log` on its own walk; a benchmark runs it alone. */
export function walkArguments({ bigFileBytes }: LogOptions, revisions: readonly string[]): string[] {
  return ["-c", `core.bigFileThreshold=${bigFileBytes}`, "log", "--no-merges", ...revisions, ...DIFF];
}

/** Every commit of `commits`, and after each its changes, as many at once as have arrived. */
export async function* readLog(
  shadow: Shadow,
  commits: readonly string[],
  options: LogOptions,
): AsyncGenerator<readonly LogEntry[]> {
  // Without ids git would show what is checked out.
  if (commits.length === 0) return;
  const children: GitStream[] = [];
  const hands = deal(commits, options.streams ?? 1).map((commits) => ({ shadow, commits, options }));
  const end = () => {
    for (const child of children) child.kill();
  };
  yield* inTurns(
    hands.map((hand) => readHand(hand, children)),
    end,
  );
}

// One stream of several goes on while others are read.
const BYTES_AHEAD_OF_TURN = 1 << 21;

type Hand = {
  readonly shadow: Shadow;
  readonly commits: readonly string[];
  readonly options: LogOptions;
};

/** The same through one process, which `signal` or whoever leaves early ends. */
async function* readHand(
  { shadow, commits, options }: Hand,
  children: GitStream[],
): AsyncGenerator<readonly LogEntry[]> {
  const child = streamGit(logArguments(options), placeOf(shadow, options.signal));
  children.push(child);
  child.stdin.end(commits.map((commit) => `${commit}\n`).join(""));
  // Where git is: it may have said the last commit and not its changes, or be at the next one.
  const check = (begun: number) =>
    refuseBombs(shadow, commits.slice(Math.max(0, begun - 1), begun + 2), options.signal);
  const hashLength = shadow.algorithm === "sha256" ? 64 : 40;
  const { maxSectionBytes, sections } = options;
  const parser = createLogParser({ hashLength, maxSectionBytes, sections });
  try {
    const ahead = (options.streams ?? 1) > 1 ? { mostBytes: BYTES_AHEAD_OF_TURN } : {};
    yield* readAhead(child, parser, { check, ...ahead });
  } finally {
    child.kill();
    await child.done.catch(() => {});
  }
}
