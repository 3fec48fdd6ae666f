// Fetches contents by object id through one `git cat-file --batch-command --buffer` process. Answers come in the order
// of the questions and are taken as they arrive, whoever waits for them; the next questions may be asked before the last
// ones are answered. It knows no paths.

import { UserError } from "../base/errors.ts";
import { streamGit } from "./git.ts";
import { placeOf, type Shadow } from "./shadow.ts";
import { letGo, type Room } from "./slabs.ts";
import { describeDamage } from "./surprise.ts";

export type Question = {
  readonly oid: string;
  /** A content of more bytes is passed over; `null` asks for the size alone, and nothing else leaves git. */
  readonly most: number | null;
};

export type Answer = {
  readonly size: number;
  /** Where the content begins in the room; `null` where none was kept. */
  readonly at: number | null;
};

export type BlobReader = {
  /** An answer to each question; the contents lie one after another in `room`. */
  ask(questions: readonly Question[], room: Room): Promise<readonly Answer[]>;
  dispose(): Promise<void>;
};

/** Questions that were asked together. */
type Turn = {
  readonly questions: readonly Question[];
  readonly answers: Answer[];
  readonly room: Room;
  resolve(answers: readonly Answer[]): void;
  reject(error: unknown): void;
};

// Who waits for bytes that were lost would wait for ever. No disk is so slow; counted in steps, for a computer that sleeps.
const SILENCE_MS = 30_000;
const SILENCE_STEPS = 10;

/** Starts the process that answers; `dispose` ends it. Questions fail when it says nothing for `silenceMs`. */
export function openBlobs(shadow: Shadow, signal?: AbortSignal, silenceMs = SILENCE_MS): BlobReader {
  const child = streamGit(["cat-file", "--batch-command", "--buffer"], placeOf(shadow, signal));
  const turns: Turn[] = [];
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown) => {
    failure ??= { error };
    for (const { reject } of turns.splice(0)) reject(failure.error);
  };
  const push = createAnswerReader(turns);
  let silent = 0;
  const watch = setInterval(() => {
    silent = turns.length > 0 ? silent + 1 : 0;
    if (silent < SILENCE_STEPS) return;
    fail(describeDamage("file contents from git cat-file", "that it says no more"));
    child.kill();
  }, silenceMs / SILENCE_STEPS);
  watch.unref();
  child.stdout.on("data", (chunk: Buffer) => {
    silent = 0;
    try {
      if (failure === undefined) push(chunk);
    } catch (error) {
      fail(error);
      child.kill();
    }
    letGo(chunk);
  });
  child.done.then(({ stderr }) => fail(describeEnd(stderr)), fail).finally(() => clearInterval(watch));
  return {
    ask: (questions, room) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) reject(failure.error);
        else if (questions.length === 0) resolve([]);
        else {
          turns.push({ questions, answers: [], room, resolve, reject });
          child.stdin.write(commandsOf(questions));
        }
      }),
    async dispose() {
      child.kill();
      await child.done.catch(() => {});
    },
  };
}

function describeEnd(stderr: string): UserError {
  const said = stderr.trim() || "it does not say why";
  return new UserError(
    `Expected file contents from git, found the end of its output: ${said}; run "git fsck" in the repository`,
  );
}

/** git answers only after a flush. */
function commandsOf(questions: readonly Question[]): string {
  let text = "";
  for (const { oid, most } of questions) text += most === null ? `info ${oid}\n` : `contents ${oid}\n`;
  return `${text}flush\n`;
}

const NEWLINE = 10;
const MOST_HEAD_BYTES = 1024;
const NOWHERE = -1;

/** Takes git's answers in pieces of any size and gives them to the turns, the first of which is removed when it has all. */
function createAnswerReader(turns: Turn[]): (chunk: Buffer) => void {
  let head = "";
  /** Bytes of the content that have not come, where they belong, and whether the newline behind it is one of them. */
  let left = 0;
  let to = NOWHERE;
  const finish = (answer: Answer) => {
    const turn = turns[0]!;
    if (turn.answers.push(answer) < turn.questions.length) return;
    turns.shift();
    turn.resolve(turn.answers);
  };
  let answer: Answer | undefined;
  const readHead = (line: string) => {
    const turn = turns[0];
    // What comes behind the last answer belongs to a content that is longer than its head says.
    if (turn === undefined) throw describeAnswer(line);
    const { oid, most } = turn.questions[turn.answers.length]!;
    const size = sizeIn(line, oid);
    if (most === null) return finish({ size, at: null });
    const at = size <= most ? turn.room.reserve(size) : null;
    to = at ?? NOWHERE;
    left = size + 1;
    answer = { size, at };
  };
  const takeContent = (chunk: Buffer, from: number): number => {
    const end = Math.min(chunk.length, from + left);
    left -= end - from;
    if (to !== NOWHERE) {
      // The last byte is the newline that ends the content.
      const content = left === 0 ? end - 1 : end;
      chunk.copy(turns[0]!.room.bytes(), to, from, content);
      to += content - from;
    }
    if (left === 0) finish(answer!);
    return end;
  };
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (left > 0) {
        at = takeContent(chunk, at);
        continue;
      }
      const end = chunk.indexOf(NEWLINE, at);
      head += chunk.toString("latin1", at, end < 0 ? chunk.length : end);
      if (head.length > MOST_HEAD_BYTES) throw describeAnswer(head);
      if (end < 0) return;
      readHead(head);
      head = "";
      at = end + 1;
    }
  };
}

/** The size in `OID blob SIZE`. */
function sizeIn(line: string, oid: string): number {
  const words = line.slice(oid.length);
  const size = Number(words.slice(BLOB.length));
  if (line.startsWith(oid) && words.startsWith(BLOB) && Number.isSafeInteger(size) && size >= 0) return size;
  throw describeAnswer(line);
}

const BLOB = " blob ";

function describeAnswer(line: string): UserError {
  return new UserError(
    `Expected a file content, found "${line.slice(0, 100)}" in the repository; run "git fsck" there`,
  );
}
