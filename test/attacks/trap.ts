// For tests only: traps for programs that a repository names, for writes outside the output folder, and for
// connections. A trap that cannot close proves nothing, so each attack is first run with git as anyone would start it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { heldOut } from "../history/cases.ts";
import { commitBytes, setBranches, writeObjects } from "../history/objects.ts";
import { type PlainResult, plainGit, tryGit } from "../history/plain-git.ts";
import { makeTemporary } from "../history/temporary.ts";
import { makeRepository } from "../repository.ts";
import { type Outcome, run } from "../tiny.ts";

export type Trap = {
  /** Everything that must stay as it is lies in here; the attacked repository too. */
  readonly folder: string;
  readonly home: string;
  /** A program that leaves a line in the canary when it runs, whatever it is run as. */
  readonly program: string;
  /** Writes a copy of the program elsewhere. */
  plantProgram(path: string): void;
  /** Where a listener waits for anyone who connects; it asks for a password, as an HTTP server does. */
  readonly port: number;
  /** What has happened since the last call: names of programs that ran, and connections. */
  sprung(): string[];
  /** Kind, time and hash of everything below the folder, by path. */
  snapshot(): Readonly<Record<string, string>>;
  /** A fresh copy of a small repository with its files checked out, to be made hostile; the one before it goes. */
  repository(): string;
  /** A folder for a dataset, and one for temporary files, outside of what must not change. */
  output(): string;
  readonly temporary: string;
  dispose(): void;
};

/** What `sprung` says of someone who connected. */
export const CONNECTION = "a connection";

const ATTRIBUTES = "* diff=evil filter=evil merge=evil\n";

/** Sets the traps and the repository that attacks begin with; three small commits and some to hold out. */
export async function setTrap(): Promise<Trap> {
  const { folder: root, dispose } = makeTemporary();
  const folder = join(root, "world");
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  const temporary = join(root, "temporary");
  mkdirSync(temporary);
  const canary = join(root, "canary");
  const program = join(folder, "program");
  const plantProgram = (path: string) => writeProgram(path, canary);
  plantProgram(program);
  const origin = await makeOrigin(join(root, "origin"));
  const { server, connections, port } = await listen();
  let count = 0;
  return {
    ...{ folder, home, temporary, program, plantProgram, port },
    sprung: () => {
      const ran = existsSync(canary) ? readFileSync(canary, "utf8").split("\n").filter(Boolean) : [];
      rmSync(canary, { force: true });
      return [...ran, ...connections.splice(0)];
    },
    snapshot: () => snapshotOf(folder),
    repository: () => {
      const path = join(folder, "repository");
      rmSync(path, { recursive: true, force: true });
      cpSync(origin, path, { recursive: true });
      return path;
    },
    output: () => join(root, `output-${++count}`),
    dispose: () => {
      server.close();
      dispose();
    },
  };
}

// As a filter it hands on what it gets, as a textconv what it is named, so that nothing fails for its sake.
function writeProgram(path: string, canary: string): void {
  const text = `#!/bin/sh\necho "$0" >> '${canary}'\n[ -f "$1" ] && cat "$1"\nexit 0\n`;
  writeFileSync(path, text, { mode: 0o755 });
}

async function makeOrigin(path: string): Promise<string> {
  await makeRepository(path, [
    { message: "First", files: { "a.txt": "one\n", ".gitattributes": ATTRIBUTES } },
    { message: "Second", files: { "a.txt": "two\n" } },
    { message: "Third", files: { "a.txt": "three\n", "b.txt": "b\n" } },
    ...heldOut(12),
  ]);
  await plainGit(["reset", "--quiet", "--hard"], { cwd: path });
  // A few files to copy instead of hundreds.
  await plainGit(["repack", "-adq"], { cwd: path });
  return path;
}

async function listen(): Promise<{ server: Server; connections: string[]; port: number }> {
  const connections: string[] = [];
  const server = createServer((socket) => {
    connections.push(CONNECTION);
    socket.on("error", () => {});
    socket.end('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return { server, connections, port: address.port };
}

function snapshotOf(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (path: string) => {
    const status = lstatSync(path);
    const bytes = status.isFile() ? readFileSync(path) : status.isSymbolicLink() ? readlinkSync(path) : "";
    const hash = createHash("sha1").update(bytes).digest("hex");
    found[path.slice(folder.length)] = `${status.mode.toString(8)} ${status.mtimeMs} ${hash}`;
    if (status.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name));
  };
  visit(folder);
  return found;
}

/** Sets configuration in the repository's own file. */
export function configure(repository: string, settings: Readonly<Record<string, string>>): void {
  const path = join(repository, ".git/config");
  const lines = Object.entries(settings).map(([name, value]) => {
    const [, section, sub, key] = /^([^.]+)(?:\.(.+))?\.([^.]+)$/.exec(name)!;
    const quoted = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
    return `[${section}${sub === undefined ? "" : ` "${sub}"`}]\n\t${key} = "${quoted}"\n`;
  });
  writeFileSync(path, readFileSync(path, "utf8") + lines.join(""));
}

/** Adds a commit from the bytes of an object, below which the files stay as they are. */
export async function commitRaw(repository: string, headers: string): Promise<void> {
  const ask = async (name: string) => (await plainGit(["rev-parse", name], { cwd: repository })).trim();
  const plain = commitBytes(await ask("HEAD^{tree}"), "Odd", [await ask("HEAD")]);
  const [oid] = await writeObjects(repository, "commit", [plain.replace("\n\n", `\n${headers}\n`)]);
  await setBranches(repository, { main: oid! });
}

/** Who runs plain git: the attacked user, with what their environment holds. */
type User = Pick<Trap, "home"> & { readonly env?: Readonly<Record<string, string>> };

/** Plain git in the repository. */
export function fire({ home, env }: User, repository: string, args: readonly string[]): Promise<PlainResult> {
  return tryGit(args, { cwd: repository, env: { HOME: home, ...env } });
}

/** Reads the history in this process, with temporary files where they are seen too. */
export async function readUnder(trap: Trap, tokens: readonly string[], cwd = trap.folder): Promise<Outcome> {
  const restore = setVariables({ TMPDIR: trap.temporary, HOME: trap.home });
  try {
    return await run(["history", ...tokens, "--quiet"], { cwd });
  } finally {
    restore();
    assert.deepEqual(readdirSync(trap.temporary), [], "no temporary file is left");
  }
}

/** Sets environment variables of this process and returns what takes them back. */
export function setVariables(values: Readonly<Record<string, string>>): () => void {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, values);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

/** Reads a history and wants nothing to have happened: no program, no connection, no change outside the output. */
export async function assertHarmless(
  trap: Trap,
  repository: string,
  flags: readonly string[] = [],
): Promise<Outcome & { readonly folder: string }> {
  trap.sprung();
  const before = trap.snapshot();
  const folder = trap.output();
  const outcome = await readUnder(trap, [repository, "--output", folder, ...flags]);
  // A connection that was opened is seen by the listener only after another turn.
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(trap.sprung(), []);
  assert.deepEqual(trap.snapshot(), before, "nothing outside the output folder has changed");
  assert.doesNotMatch(outcome.stderr, /\n\s+at /, "no stack");
  return { ...outcome, folder };
}
