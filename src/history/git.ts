// The one door to git: every process is started here, with an environment built from nothing and fixed flags, so
// that neither the user's configuration nor a hostile repository changes the output or runs a program.
// It does not know what the commands mean. All it takes from outside is where programs and the home folder are.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { devNull } from "node:os";
import { delimiter, isAbsolute } from "node:path";
import type { Readable, Writable } from "node:stream";
import { UserError } from "../base/errors.ts";

/** Where a command runs. With `gitDir`, that folder and nothing else is the repository. */
export type GitPlace = {
  /** Folder from which git looks for a repository, as `git -C` does; checks the owner of what it finds. */
  readonly cwd?: string;
  readonly gitDir?: string;
  readonly objectDirectory?: string;
  /** Lets git read the user's own configuration, where `safe.directory` is set. Never for diffs. */
  readonly userConfig?: boolean;
  readonly signal?: AbortSignal;
};

/** What a finished command said. A non-zero exit code is a result; only a missing git or an abort throws. */
export type GitResult = { readonly stdout: Buffer; readonly stderr: string; readonly exitCode: number };

/** A running command. `done` settles when the process has ended; leaving early needs `kill`. */
export type GitStream = {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly done: Promise<{ readonly exitCode: number; readonly stderr: string }>;
  kill(): void;
};

const FLAGS = [
  "--no-pager",
  "--literal-pathspecs",
  "--no-optional-locks",
  ...[
    "core.bigFileThreshold=1m",
    "core.commitGraph=false",
    "core.fsmonitor=false",
    `core.hooksPath=${devNull}`,
    "core.quotePath=false",
    "diff.renameLimit=1000",
    "gc.auto=0",
    "log.showRoot=true",
    "log.showSignature=false",
    "maintenance.auto=false",
    "protocol.allow=never",
  ].flatMap((setting) => ["-c", setting]),
] as const;

// Malloc keeps large blocks instead of returning each to the kernel: up to a quarter less time for `git log -p`.
// Other C libraries ignore the variable.
const GLIBC_TUNABLES = "glibc.malloc.mmap_threshold=268435456:glibc.malloc.trim_threshold=536870912";

const STDERR_KEPT = 16384;

/** Runs a command to its end and collects what it wrote. */
export async function runGit(
  args: readonly string[],
  place: GitPlace & { readonly input?: string | Uint8Array } = {},
): Promise<GitResult> {
  const child = streamGit(args, place);
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stdin.end(place.input);
  const { exitCode, stderr } = await child.done;
  return { stdout: Buffer.concat(chunks), stderr, exitCode };
}

/** Starts a command whose output is read as a stream; a reader that pauses makes git wait. */
export function streamGit(args: readonly string[], place: GitPlace = {}): GitStream {
  place.signal?.throwIfAborted();
  const from = place.cwd === undefined ? [] : ["-C", place.cwd];
  const child = spawn("git", [...from, ...FLAGS, ...args], {
    env: environment(place),
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
    ...(place.gitDir === undefined ? {} : { cwd: place.gitDir }),
  });
  const kill = () => void child.kill("SIGKILL");
  return { stdin: child.stdin, stdout: child.stdout, done: untilClosed(child, place.signal), kill };
}

/** The version of git, such as 2.39.5; a `UserError` when there is none or it is older than what is used here. */
export async function gitVersion(): Promise<string> {
  const { stdout } = await runGit(["--version"]);
  const version = /\d+(\.\d+)+/.exec(stdout.toString())?.[0] ?? "0.0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < 2 || (major === 2 && minor < 36)) {
    throw new UserError(`Expected git 2.36 or newer, found ${version}; install a newer git`);
  }
  return version;
}

function untilClosed(child: ChildProcessWithoutNullStreams, signal: AbortSignal | undefined) {
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (stderr.length < STDERR_KEPT) stderr += text;
  });
  // A command that ends before it has read its input closes the pipe; its exit code tells the story.
  child.stdin.on("error", () => {});
  const abort = () => void child.kill("SIGKILL");
  signal?.addEventListener("abort", abort, { once: true });
  const done = new Promise<{ exitCode: number; stderr: string }>((resolve, reject) => {
    child.on("error", (error) => reject(describeStartFailure(error)));
    child.on("close", (code, name) => {
      signal?.removeEventListener("abort", abort);
      if (signal?.aborted) reject(signal.reason);
      else resolve({ exitCode: code ?? 128, stderr: name ? `${stderr}git was ended by ${name}` : stderr });
    });
  });
  // Whoever waits sees a failure; a reader that left early must not turn it into an unhandled one.
  done.catch(() => {});
  return done;
}

function environment(place: GitPlace): NodeJS.ProcessEnv {
  const { PATH, HOME, XDG_CONFIG_HOME, USERPROFILE, SystemRoot } = process.env;
  const user = place.userConfig
    ? { HOME, XDG_CONFIG_HOME, USERPROFILE }
    : {
        HOME: "/nonexistent",
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_CONFIG_SYSTEM: devNull,
        GIT_CONFIG_GLOBAL: devNull,
      };
  const given = {
    ...user,
    PATH: PATH && withoutRelative(PATH),
    SystemRoot,
    LC_ALL: "C",
    TZ: "UTC",
    GIT_ADVICE: "0",
    GIT_ALLOW_PROTOCOL: "",
    GIT_ATTR_NOSYSTEM: "1",
    // Whole buffers instead of a write for each commit.
    GIT_FLUSH: "0",
    GIT_NO_LAZY_FETCH: "1",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    GLIBC_TUNABLES,
    GIT_DIR: place.gitDir,
    GIT_OBJECT_DIRECTORY: place.objectDirectory,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** A relative folder on the PATH could be the repository, and hold a program named git. */
function withoutRelative(path: string): string {
  return path.split(delimiter).filter(isAbsolute).join(delimiter);
}

function describeStartFailure(error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") return error;
  return new UserError("Expected git on the PATH, found none; install git 2.36 or newer and run this again");
}
