// Fetches contents by object id through one `git cat-file --batch-command --buffer` process. Sizes are asked first,
// so that a content above the limit never leaves git. Answers come in the order of the questions, and the next
// question may be asked before the last one is answered. It knows no paths.

import type { Readable } from "node:stream";
import { UserError } from "../base/errors.ts";
import { type GitStream, streamGit } from "./git.ts";
import { placeOf, type Shadow } from "./shadow.ts";
import { letGo } from "./slabs.ts";

export type ContentsRequest = {
  readonly oids: readonly string[];
  readonly sizes: readonly number[];
  readonly target: Buffer;
};

export type BlobReader = {
  /** Bytes of each content. */
  sizes(oids: readonly string[]): Promise<readonly number[]>;
  /** The contents one after another in `target`; `sizes` are what `sizes` said of them. */
  contents(request: ContentsRequest): Promise<readonly Buffer[]>;
  dispose(): Promise<void>;
};

/** Starts the process that answers; `dispose` ends it. */
export function openBlobs(shadow: Shadow, signal?: AbortSignal): BlobReader {
  const child = streamGit(["cat-file", "--batch-command", "--buffer"], placeOf(shadow, signal));
  const answers = createAnswers(child.stdout, child);
  let last: Promise<unknown> = Promise.resolve();
  const ask = <T>(command: string, oids: readonly string[], read: () => Promise<T>): Promise<T> => {
    // git answers only after a flush.
    if (oids.length > 0) child.stdin.write(`${oids.map((oid) => `${command} ${oid}\n`).join("")}flush\n`);
    const turn = last.then(read);
    last = turn.catch(() => {});
    return turn;
  };
  return {
    sizes: (oids) => ask("info", oids, () => readSizes(answers, oids)),
    contents: (request) => ask("contents", request.oids, () => readContents(answers, request)),
    async dispose() {
      child.kill();
      await child.done.catch(() => {});
    },
  };
}

/** What has arrived and is not read yet; `more` waits for the next piece. */
type Answers = { rest: Buffer; more(): Promise<void> };

const NOTHING: Buffer = Buffer.alloc(0);

function createAnswers(stream: Readable, child: GitStream): Answers {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let last = NOTHING;
  const answers: Answers = {
    rest: NOTHING,
    async more() {
      const { value, done } = await chunks.next();
      if (!done) {
        answers.rest = answers.rest.length === 0 ? value : Buffer.concat([answers.rest, value]);
        letGo(last);
        last = value;
        return;
      }
      const { stderr } = await child.done;
      throw new UserError(`Expected file contents from git, found the end of its output: ${stderr.trim()}`);
    },
  };
  return answers;
}

async function readSizes(answers: Answers, oids: readonly string[]): Promise<number[]> {
  const sizes: number[] = [];
  while (sizes.length < oids.length) sizes.push(takeSize(answers) ?? (await readSize(answers)));
  return sizes;
}

async function readContents(answers: Answers, { sizes, target }: ContentsRequest): Promise<Buffer[]> {
  const contents: Buffer[] = [];
  let filled = 0;
  for (const expected of sizes) {
    const size = takeSize(answers) ?? (await readSize(answers));
    if (size !== expected) throw new Error(`Expected a content of ${expected} bytes from git, found ${size}`);
    const start = filled;
    while (filled < start + size) {
      if (answers.rest.length === 0) await answers.more();
      const taken = answers.rest.copy(target, filled, 0, start + size - filled);
      answers.rest = answers.rest.subarray(taken);
      filled += taken;
    }
    contents.push(target.subarray(start, filled));
    // A newline ends the content.
    if (answers.rest.length === 0) await answers.more();
    answers.rest = answers.rest.subarray(1);
  }
  return contents;
}

async function readSize(answers: Answers): Promise<number> {
  for (;;) {
    await answers.more();
    const size = takeSize(answers);
    if (size !== undefined) return size;
  }
}

const NEWLINE = 10;

/** The size in `OID blob SIZE`; undefined when the line is not there yet. */
function takeSize(answers: Answers): number | undefined {
  const end = answers.rest.indexOf(NEWLINE);
  if (end < 0) return undefined;
  const line = answers.rest.toString("latin1", 0, end);
  answers.rest = answers.rest.subarray(end + 1);
  const size = /^[0-9a-f]+ blob (\d+)$/.exec(line)?.[1];
  if (size === undefined) {
    throw new UserError(`Expected a file content, found "${line}" in the repository; run "git fsck" there`);
  }
  return Number(size);
}
