// Reads a stream of git's as it comes and not as it is taken, up to a limit, so that git goes on while whoever takes it
// does something else. Knows how entries are parsed only as a parser that it is given.

import type { LogEntry } from "./change.ts";
import type { GitStream } from "./git.ts";
import { describeWalkFailure } from "./order.ts";
import type { LogParser } from "./parser.ts";
import { letGo } from "./slabs.ts";

/** What is read ahead of one who takes it all the time; more would only wait in memory. */
const BYTES_AHEAD = 1 << 18;
const SILENCE_MS = 3000;
// git writes four kilobytes at a time, and to read each as it comes costs nearly as much as to parse it. A pipe holds
// 64 kilobytes or more, which git seldom fills in this time.
const GATHER_MS = 2;
const SMALL_BYTES = 1 << 15;

/**
 * What was read and not yet taken, and how many commits were begun in all; `end` when no more comes, with the reason
 * where it is a failure.
 */
type Ahead = {
  entries: LogEntry[];
  bytes: number;
  begun: number;
  end: { readonly error?: unknown } | undefined;
};

type Watch = {
  readonly check: (begun: number) => Promise<void>;
  readonly silenceMs?: number;
  readonly mostBytes?: number;
};

/**
 * What a parser makes of git's output. `check` is asked whenever git is silent for long, and may refuse to wait; it is
 * told how many commits git has begun to say.
 */
export async function* readAhead(
  { stdout, done }: GitStream,
  parser: LogParser,
  { check, silenceMs = SILENCE_MS, mostBytes = BYTES_AHEAD }: Watch,
): AsyncGenerator<readonly LogEntry[]> {
  const ahead: Ahead = { entries: [], bytes: 0, begun: 0, end: undefined };
  let wake = () => {};
  const finish = (error?: unknown) => {
    ahead.end ??= { error };
    wake();
  };
  // Of a change that is larger than that nobody can take anything yet.
  const isFull = () => ahead.entries.length > 0 && ahead.bytes >= mostBytes;
  const flow = () => {
    if (!isFull()) stdout.resume();
  };
  const ask = () => {
    // Whoever is not read has nothing to say.
    const asked = isFull() ? Promise.resolve() : check(ahead.begun);
    asked.then(() => ahead.end ?? silence.refresh(), finish);
  };
  const silence = setTimeout(ask, silenceMs);
  stdout.on("data", (chunk: Buffer) => {
    silence.refresh();
    if (ahead.end !== undefined) return;
    const { length } = chunk;
    try {
      for (const entry of parser.push(chunk)) add(ahead, entry);
    } catch (error) {
      finish(error);
    }
    letGo(chunk);
    ahead.bytes += length;
    if (isFull()) stdout.pause();
    else if (length < SMALL_BYTES) {
      stdout.pause();
      setTimeout(flow, GATHER_MS);
    }
    wake();
  });
  endOf(done, parser)
    .then((last) => {
      ahead.entries.push(...last);
      finish();
    })
    .catch(finish);
  const wait = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  try {
    yield* take(ahead, { wait, flow });
  } finally {
    // A check that is still under way must not wake the timer again.
    ahead.end ??= {};
    clearTimeout(silence);
    stdout.destroy();
  }
}

function add(ahead: Ahead, entry: LogEntry): void {
  if (entry.kind === "commit") ahead.begun++;
  ahead.entries.push(entry);
}

async function endOf(done: GitStream["done"], parser: LogParser): Promise<readonly LogEntry[]> {
  const { exitCode, stderr } = await done;
  if (exitCode !== 0) throw describeWalkFailure(stderr);
  return parser.end();
}

type Source = { readonly wait: () => Promise<void>; readonly flow: () => void };

async function* take(ahead: Ahead, { wait, flow }: Source): AsyncGenerator<readonly LogEntry[]> {
  while (ahead.end === undefined || ahead.entries.length > 0) {
    if (ahead.end?.error !== undefined) break;
    if (ahead.entries.length === 0) {
      await wait();
      continue;
    }
    const { entries } = ahead;
    ahead.entries = [];
    ahead.bytes = 0;
    flow();
    yield entries;
  }
  if (ahead.end?.error !== undefined) throw ahead.end.error;
}
