// The cache folder that Hugging Face's tools share: `models--org--name/{blobs,refs,snapshots}`, a blob under its hash,
// a snapshot of links to blobs. Source: huggingface_hub:docs/source/en/guides/manage-cache.md. It opens no connection.

import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { UserError } from "../base/errors.ts";
import { makeFolder, writeFileAtomic } from "../base/files.ts";
import { hasTokenizer } from "./folder-files.ts";
import { type Choice, chooseFiles } from "./hub-choice.ts";
import { type HubName, isCommit } from "./hub-name.ts";

export type RepositoryCache = {
  readonly folder: string;
  readonly blob: (hash: string) => string;
  readonly snapshot: (commit: string) => string;
  readonly lock: (hash: string) => string;
};

/** Where a repository's files lie below the cache folder. */
export function repositoryCache(cache: string, repo: string): RepositoryCache {
  const name = `models--${repo.replace("/", "--")}`;
  const folder = join(cache, name);
  return {
    folder,
    blob: (hash) => join(folder, "blobs", hash),
    snapshot: (commit) => join(folder, "snapshots", commit),
    // Beside Python's, whose kind of lock Node cannot take; a blob that both fetch is the same and renamed into place.
    lock: (hash) => join(cache, ".locks", name, `${hash}.codefudge.lock`),
  };
}

/** The repository and commit that a path below any cache folder is of; `null` for other paths. */
export function originOf(path: string): { readonly repo: string; readonly commit: string } | null {
  const [, owner, name, commit] =
    /[\\/]models--([^\\/]+?)--([^\\/]+)[\\/]snapshots[\\/]([0-9a-f]{40})(?:[\\/]|$)/.exec(path) ?? [];
  return commit === undefined ? null : { repo: `${owner}/${name}`, commit };
}

/** The model as it lies in the cache: a folder or a .gguf file; undefined when a file of it is missing. `loosely`
 * takes it without tokenizer files too. */
export function findCached(cache: string, name: HubName, loosely: boolean): string | undefined {
  const { folder, snapshot } = repositoryCache(cache, name.repo);
  const commit = isCommit(name.revision) ? name.revision : readRef(folder, name.revision);
  if (commit === undefined) return undefined;
  const place = snapshot(commit);
  const names = existsSync(place) ? readdirSync(place).filter((file) => isThere(join(place, file))) : [];
  const choice = choiceOf(names, name);
  if (choice === undefined) return undefined;
  if (choice.kind === "gguf") return join(place, choice.file);
  return isWhole(choice, loosely) ? place : undefined;
}

function choiceOf(names: readonly string[], name: HubName): Choice | undefined {
  try {
    return chooseFiles(names, name);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

function isWhole(choice: Choice & { kind: "folder" }, loosely: boolean): boolean {
  if (!loosely && !hasTokenizer(choice.files)) return false;
  const [first, ...shards] = choice.weights;
  if (shards.length === 0) return !first!.endsWith(".index.json");
  return shards.length === Number(/-of-(\d+)\.\w+$/.exec(shards[0]!)?.[1]);
}

/** Follows links: one whose blob is gone is not there. */
function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function readRef(folder: string, revision: string): string | undefined {
  const path = join(folder, "refs", revision);
  if (!isThere(path)) return undefined;
  const commit = readFileSync(path, "utf8").trim();
  return isCommit(commit) ? commit : undefined;
}

/** Notes which commit a branch or tag means. */
export function writeRef(repository: RepositoryCache, revision: string, commit: string): void {
  if (revision === commit || readRef(repository.folder, revision) === commit) return;
  writeFileAtomic(join(repository.folder, "refs", revision), commit);
}

/** Gives a blob its name within a snapshot: a relative link, or a copy where the system has no links. */
export function linkBlob(
  repository: RepositoryCache,
  hash: string,
  at: { commit: string; name: string },
): void {
  const path = join(repository.snapshot(at.commit), at.name);
  if (isThere(path)) return;
  const blob = repository.blob(hash);
  makeFolder(dirname(path));
  try {
    symlinkSync(relative(dirname(path), blob), path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Another process was first, or Windows without the right to make links.
    if (!isThere(path)) {
      if (code === "EEXIST") throw error;
      copyFileSync(blob, path);
    }
  }
}
