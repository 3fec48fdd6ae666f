// Makes the sample repository: a thousand small commits written through one `git fast-import` stream. The same
// seed gives the same commit ids everywhere, since times, names and contents all come from it.

import { existsSync, readdirSync } from "node:fs";
import { UserError } from "../base/errors.ts";
import { createRandom, type Random } from "../base/random.ts";
import { runGit } from "./git.ts";
import { renderSample, type Sample, startSample } from "./sample-files.ts";
import { type Edit, type Template, templates } from "./templates.ts";

export type SampleOptions = { readonly seed?: number; readonly commits?: number };

const SEED = 1;
const COMMITS = 1000;
const AUTHOR = "CodeFudge sample <sample@codefudge.invalid>";
// The first of January 2024; then one commit every six hours or so.
const START = 1704067200;
const HOUR = 3600;
/** Share of messages in the manner `chore: bump …`; the others are plain sentences. */
const CONVENTIONAL = 0.5;

/** Makes the sample in `folder`, which must be new or empty, and returns the id of its newest commit. */
export async function createSample(folder: string, options: SampleOptions = {}): Promise<string> {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new UserError(
      `Expected a new or empty folder for the sample, found files in ${folder}; name another`,
    );
  }
  const input = writeStream(options.seed ?? SEED, options.commits ?? COMMITS);
  await git(["init", "--quiet", "--template=", "--initial-branch=main", "--object-format=sha1", folder]);
  await git(["fast-import", "--quiet", "--date-format=raw"], { cwd: folder, input });
  await git(["read-tree", "--reset", "-u", "HEAD"], { cwd: folder });
  return (await git(["rev-parse", "HEAD"], { cwd: folder })).trim();
}

async function git(args: string[], place: { cwd?: string; input?: string } = {}): Promise<string> {
  const { stdout, stderr, exitCode } = await runGit(args, place);
  if (exitCode !== 0) throw new UserError(`Expected git to make the sample, found: ${stderr.trim()}`);
  return stdout.toString();
}

function writeStream(seed: number, commits: number): string {
  const random = createRandom(seed);
  const sample = startSample();
  let time = START;
  const first = [...renderSample(sample)].map(([path, text]) => writeFile(path, text)).join("");
  const parts = [writeCommit("Start the lantern service", time, first)];
  for (let i = 1; i < commits; i++) {
    const edit = nextEdit(sample, random);
    const message = edit.messages[random.uniform() < CONVENTIONAL ? 0 : 1];
    time += HOUR * (3 + random.below(7)) + random.below(HOUR);
    parts.push(writeCommit(message, time, writeEdit(edit, sample)));
  }
  return parts.join("");
}

/** Draws kinds by weight until one has something to do. */
function nextEdit(sample: Sample, random: Random): Edit {
  for (;;) {
    const edit = pickTemplate(random).apply(sample, random);
    if (edit) return edit;
  }
}

function pickTemplate(random: Random): Template {
  const total = templates.reduce((sum, { weight }) => sum + weight, 0);
  let left = random.below(total);
  return templates.find(({ weight }) => {
    left -= weight;
    return left < 0;
  })!;
}

function writeEdit({ path, from }: Edit, sample: Sample): string {
  return from === undefined ? writeFile(path, renderSample(sample).get(path)!) : `R ${from} ${path}\n`;
}

function writeFile(path: string, text: string): string {
  return `M ${path.endsWith(".sh") ? "100755" : "100644"} inline ${path}\n${writeData(text)}`;
}

function writeCommit(message: string, time: number, changes: string): string {
  const stamp = `${AUTHOR} ${time} +0000`;
  return `commit refs/heads/main\nauthor ${stamp}\ncommitter ${stamp}\n${writeData(`${message}\n`)}${changes}`;
}

function writeData(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}
