// Where things lie: `.codefudge` in the repository, which ignores itself, with the dataset and one folder for each
// run. Knows nothing of what is in them, so that a command that only reads a history starts without the rest.

import { existsSync, lstatSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UserError } from "../base/errors.ts";
import { writeFileAtomic } from "../base/files.ts";
import { isBrought } from "../history/source.ts";

export type Workspace = { readonly root: string; readonly dataset: string; readonly runs: string };

export const FOLDER = ".codefudge";

/** Paths within a repository's workspace; nothing is made yet. */
export function workspaceOf(repository: string): Workspace {
  const root = join(resolve(repository), FOLDER);
  return { root, dataset: join(root, "dataset"), runs: join(root, "runs") };
}

/** Makes the folder and tells git to ignore it. A repository may bring links: nothing is written through one. */
export function ensureWorkspace({ root, dataset, runs }: Workspace): void {
  for (const folder of [root, dataset, runs]) refuseLink(folder);
  const ignore = join(root, ".gitignore");
  if (!existsSync(ignore)) writeFileAtomic(ignore, "*\n");
}

function refuseLink(folder: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return;
  throw new UserError(
    `Expected a folder of our own at ${folder}, found a symbolic link; remove it, or give another place with --output DIR`,
  );
}

/** Refuses what the checked-out commit has at `folder`: a journal, a dataset or a run in it would be believed. */
export async function requireOwn(folder: string, signal?: AbortSignal): Promise<void> {
  if (!existsSync(folder) || !(await isBrought(folder, signal))) return;
  throw new UserError(
    `Expected nothing but what codefudge made at ${folder}, found files of the commit that is checked out; look through them, remove them with "git rm -r" and commit, then run this again`,
  );
}

/** The same of the workspace in or above `cwd`. */
export async function requireOwnWorkspace(cwd: string, signal?: AbortSignal): Promise<void> {
  await requireOwn(workspaceOf(repositoryRoot(cwd)).root, signal);
}

/** The nearest folder in or above `cwd` with a workspace or a repository; `cwd` itself when there is none. */
export function repositoryRoot(cwd: string): string {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    if (existsSync(join(folder, FOLDER)) || existsSync(join(folder, ".git"))) return folder;
    if (dirname(folder) === folder) return resolve(cwd);
  }
}
