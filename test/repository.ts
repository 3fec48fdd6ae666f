// For tests only: repositories written commit by commit through `git fast-import`, so that any name, mode and
// content can be had without a work tree or anyone's configuration, and a temporary folder that cleans up.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultsOf } from "../src/base/options.ts";
import { type GitPlace, runGit } from "../src/history/git.ts";
import { type HarvestEvent, type HarvestResult, harvest } from "../src/history/harvest.ts";
import { type HistoryOptions, historyOptions } from "../src/history/options.ts";

/** A content, `null` for a deletion, or a content or commit id with a mode. */
export type Write = string | Buffer | null | { readonly mode: string; readonly data: string };

export type Step = {
  readonly message?: string | Buffer;
  readonly files?: Readonly<Record<string, Write>>;
  /** Names are bytes where they are not UTF-8: a latin-1 string of the path. */
  readonly latin1Files?: Readonly<Record<string, Write>>;
  readonly branch?: string;
  /** Commits are named by their number, from 1. */
  readonly from?: number;
  readonly merge?: number;
  /** Seconds since 1970; a minute after the one before if it is not given. */
  readonly time?: number;
};

/** Runs `use` with a temporary folder that is also where the code under test puts its own. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-test-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs git and wants it to succeed. */
export async function git(
  args: string[],
  place: GitPlace & { input?: string | Uint8Array } = {},
): Promise<string> {
  const { stdout, stderr, exitCode } = await runGit(args, place);
  if (exitCode !== 0) throw new Error(`git ${args[0]}: ${stderr}`);
  return stdout.toString();
}

/** Makes a repository with the commits of `steps` and returns `folder`. */
export async function makeRepository(
  folder: string,
  steps: readonly Step[],
  initFlags: readonly string[] = [],
): Promise<string> {
  await git(["init", "--quiet", "--template=", "--initial-branch=main", ...initFlags, folder]);
  const input = Buffer.concat(steps.map((step, i) => writeStep(step, i + 1)));
  await git(["fast-import", "--quiet", "--force", "--date-format=raw"], { cwd: folder, input });
  return folder;
}

function writeStep(step: Step, number: number): Buffer {
  const stamp = `Ada Example <ada@example.invalid> ${step.time ?? 1700000000 + number * 60} +0000`;
  const head = `commit refs/heads/${step.branch ?? "main"}\nmark :${number}\nauthor ${stamp}\ncommitter ${stamp}\n`;
  const parts = [Buffer.from(head), writeData(step.message ?? `Change ${number}`)];
  if (step.from !== undefined) parts.push(Buffer.from(`from :${step.from}\n`));
  if (step.merge !== undefined) parts.push(Buffer.from(`merge :${step.merge}\n`));
  for (const [path, write] of Object.entries(step.files ?? {}))
    parts.push(writeFile(Buffer.from(path), write));
  for (const [path, write] of Object.entries(step.latin1Files ?? {})) {
    parts.push(writeFile(Buffer.from(path, "latin1"), write));
  }
  return Buffer.concat(parts);
}

function writeFile(path: Buffer, write: Write): Buffer {
  const name = quote(path);
  if (write === null) return Buffer.from(`D ${name}\n`);
  if (typeof write === "string" || Buffer.isBuffer(write)) {
    return Buffer.concat([Buffer.from(`M 100644 inline ${name}\n`), writeData(write)]);
  }
  if (write.mode === "160000") return Buffer.from(`M 160000 ${write.data} ${name}\n`);
  return Buffer.concat([Buffer.from(`M ${write.mode} inline ${name}\n`), writeData(write.data)]);
}

function writeData(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data);
  return Buffer.concat([Buffer.from(`data ${bytes.length}\n`), bytes, Buffer.from("\n")]);
}

// Every byte as an octal escape is the plainest of the quotings that git reads.
function quote(path: Buffer): string {
  return `"${[...path].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}"`;
}

/** Everything that a harvest yields, and its result. */
export async function collect(
  repository: string,
  options: Partial<HistoryOptions> = {},
): Promise<{ events: HarvestEvent[]; result: HarvestResult }> {
  const events: HarvestEvent[] = [];
  const source = harvest(repository, { ...defaultsOf(historyOptions), ...options });
  for (;;) {
    const next = await source.next();
    if (next.done) return { events, result: next.value };
    events.push(next.value);
  }
}
