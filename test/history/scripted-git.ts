// For tests only: git replaced inside this process by what it once said, so that what it says can be damaged, thousands
// of times a second. The product's own door is not touched: its import of `spawn` is given another function.

import childProcess, { type ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { syncBuiltinESMExports } from "node:module";
import { PassThrough, Writable } from "node:stream";

/** What a command said. */
export type Said = { readonly stdout: Buffer; readonly stderr: string; readonly code: number };

export type Damage = {
  /** Changes what a command says; `name` is the command, such as diff-tree. */
  readonly said: (name: string, said: Said) => Said;
  /** Changes the answers of the command that is asked for contents, as one stream from beginning to end. */
  readonly answers: (bytes: Buffer, from: number) => Buffer;
};

export const UNHARMED: Damage = { said: (_, said) => said, answers: (bytes) => bytes };

export type ScriptedGit = {
  /** Runs `use` while git is replaced. What is asked for the first time is asked of git itself. */
  run<T>(damage: Damage, use: () => Promise<T>): Promise<T>;
};

/** A git that knows these contents by their ids. */
export function scriptGit(contents: ReadonlyMap<string, Buffer>): ScriptedGit {
  const known = new Map<string, Said>();
  const real = childProcess.spawn;
  return {
    async run(damage, use) {
      const fake = (program: string, args: readonly string[], options: childProcess.SpawnOptions) => {
        const name =
          args.find((arg) =>
            /^(diff-tree|cat-file|rev-list|rev-parse|for-each-ref|ls-tree|--version|init|show)$/.test(arg),
          ) ?? "";
        if (args.includes("--batch-command")) return answering(contents, damage);
        const ask = () => collect(real(program, args, options));
        return saying({ known, ask, key: keyOf(args), change: (said) => damage.said(name, said) });
      };
      childProcess.spawn = fake as unknown as typeof real;
      syncBuiltinESMExports();
      try {
        return await use();
      } finally {
        childProcess.spawn = real;
        syncBuiltinESMExports();
      }
    },
  };
}

/** The folder of the shadow has another name each time. */
function keyOf(args: readonly string[]): string {
  return args.join("\0").replace(/codefudge-shadow-\w+/g, "");
}

type Fake = EventEmitter & Pick<ChildProcess, "stdin" | "stdout" | "stderr" | "kill">;

function fakeProcess(stdin: Writable): Fake & { end(said: Said): void } {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  let ended = false;
  const close = (code: number | null) => {
    if (ended) return;
    ended = true;
    setImmediate(() => fake.emit("close", code, code === null ? "SIGKILL" : null));
  };
  const fake = Object.assign(new EventEmitter(), {
    ...{ stdin, stdout, stderr },
    kill: () => {
      stdout.destroy();
      close(null);
      return true;
    },
    end: (said: Said) => {
      if (stdout.destroyed) return close(said.code);
      stderr.end(said.stderr);
      stdout.once("close", () => close(said.code)).end(said.stdout);
    },
  });
  return fake;
}

type Saying = {
  readonly known: Map<string, Said>;
  readonly key: string;
  readonly ask: () => { readonly stdin: Writable; readonly said: Promise<Said> };
  readonly change: (said: Said) => Said;
};

/** A command that reads all its input, then says what it said the first time for the same. */
function saying({ known, key, ask, change }: Saying): Fake {
  const input: Buffer[] = [];
  const stdin = new Writable({
    write: (chunk: Buffer, _, done) => {
      input.push(Buffer.from(chunk));
      done();
    },
    final: (done) => {
      done();
      void answer();
    },
  });
  const fake = fakeProcess(stdin);
  const answer = async () => {
    const bytes = Buffer.concat(input);
    const whole = `${key}\0${bytes.toString("latin1")}`;
    let said = known.get(whole);
    if (said === undefined) {
      const asked = ask();
      // A command that takes no input may have ended already.
      asked.stdin.on("error", () => {}).end(bytes);
      said = await asked.said;
      known.set(whole, said);
    }
    fake.end(change(said));
  };
  return fake;
}

function collect(child: ChildProcess): { stdin: Writable; said: Promise<Said> } {
  const chunks: Buffer[] = [];
  let stderr = "";
  child.stdout!.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const said = new Promise<Said>((resolve) => {
    // What a run that has failed still asks for may find its folder gone.
    child.on("error", (error) => resolve({ stdout: Buffer.alloc(0), stderr: error.message, code: 128 }));
    child.on("close", (code) => resolve({ stdout: Buffer.concat(chunks), stderr, code: code ?? 128 }));
  });
  return { stdin: child.stdin!, said };
}

const IDLE_MS = 3;

/** `cat-file --batch-command --buffer`: answers what it was asked at each flush. Once an answer was damaged it dies
 * when nothing more is asked: who waits for bytes that are lost must not wait for ever. */
function answering(contents: ReadonlyMap<string, Buffer>, damage: Damage): Fake {
  let text = "";
  let sent = 0;
  let death: NodeJS.Timeout | undefined;
  const die = () => fake.end({ stdout: Buffer.alloc(0), stderr: "", code: 1 });
  const send = (bytes: Buffer) => {
    const damaged = damage.answers(bytes, sent);
    if (damaged !== bytes) death = setTimeout(die, IDLE_MS);
    else death?.refresh();
    fake.stdout!.push(damaged);
    sent += bytes.length;
  };
  const stdin = new Writable({
    write: (chunk: Buffer, _, done) => {
      text += chunk.toString("latin1");
      const flush = text.lastIndexOf("flush\n");
      if (flush >= 0) {
        send(
          Buffer.concat(
            text
              .slice(0, flush)
              .split("\n")
              .map((line) => answerOf(line, contents)),
          ),
        );
        text = text.slice(flush + 6);
      }
      done();
    },
    final: (done) => {
      done();
      fake.end({ stdout: Buffer.alloc(0), stderr: "", code: 0 });
    },
  });
  const fake = fakeProcess(stdin);
  return fake;
}

function answerOf(line: string, contents: ReadonlyMap<string, Buffer>): Buffer {
  const [command, oid] = line.split(" ");
  if (oid === undefined) return Buffer.alloc(0);
  const bytes = contents.get(oid);
  if (bytes === undefined) return Buffer.from(`${oid} missing\n`);
  const head = Buffer.from(`${oid} blob ${bytes.length}\n`);
  return command === "info" ? head : Buffer.concat([head, bytes, Buffer.from("\n")]);
}
