// Which models this machine has: in the stores of Ollama and LM Studio and in the cache of Hugging Face's tools, under
// the names by which `--model` finds them again. It opens no model and no connection.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { LAYOUTS } from "./folder-files.ts";
import { findCached } from "./hub-cache.ts";
import { ggufFiles } from "./hub-choice.ts";
import { DEFAULT_REVISION, parseHubName } from "./hub-name.ts";
import { type Found, findInStores, type Stores } from "./stores.ts";

/** Where models may lie; a folder that is not there holds none. */
export type Places = { readonly stores: Stores; readonly cache: string };

export type StoredModel = {
  /** What `--model` takes. */
  readonly name: string;
  readonly where: "Ollama" | "LM Studio" | "Hugging Face" | "path";
  /** A model folder or a .gguf file. */
  readonly path: string;
  /** Of the weights on disk. */
  readonly bytes: number;
};

/** Every model that is whole, by place and name. A name that means two different things is listed for the first. */
export function listModels({ stores, cache }: Places): StoredModel[] {
  const known = new Map<string, StoredModel>();
  const add = (name: string, found: Omit<StoredModel, "name" | "bytes"> | undefined) => {
    if (found !== undefined && !known.has(name))
      known.set(name, { name, ...found, bytes: sizeOf(found.path) });
  };
  const named = [...stores.lmStudio.flatMap(namesInLmStudio), ...stores.ollama.flatMap(namesInOllama)];
  for (const name of named) add(name, findOne(name, stores));
  for (const name of namesInCache(cache)) {
    const path = findCached(cache, parseHubName(name)!, true);
    add(name, path === undefined ? undefined : { path, where: "Hugging Face" });
  }
  return [...known.values()].sort(
    (a, b) => compare(a.where, b.where) || compare(a.name.toLowerCase(), b.name.toLowerCase()),
  );
}

/** A name that means several files is none. */
function findOne(name: string, stores: Stores): Found | undefined {
  try {
    return findInStores(name, stores);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Bytes of the weights at a path: of the file, or of all weight files of the folder. */
export function sizeOf(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).size;
  const names = readdirSync(path);
  const layout = LAYOUTS.find(({ whole, index }) => names.includes(whole) || names.includes(index));
  const weights = names.filter((name) => layout !== undefined && name.endsWith(layout.ending));
  return weights.reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

/** `publisher/name`, or one name for each GGUF file where there are several. */
function namesInLmStudio(root: string): string[] {
  return foldersIn(root).flatMap((publisher) =>
    foldersIn(join(root, publisher)).flatMap((name) =>
      partNames(`${publisher}/${name}`, entriesIn(join(root, publisher, name))),
    ),
  );
}

/** `name:tag` of the library, `user/name:tag` of others. */
function namesInOllama(root: string): string[] {
  const manifests = join(root, "manifests");
  return foldersIn(manifests).flatMap((host) =>
    foldersIn(join(manifests, host)).flatMap((user) =>
      foldersIn(join(manifests, host, user)).flatMap((name) =>
        entriesIn(join(manifests, host, user, name)).map(
          (tag) => `${user === "library" ? "" : `${user}/`}${name}:${tag}`,
        ),
      ),
    ),
  );
}

/** `org/name`, with `@revision` for what is not the main branch. */
function namesInCache(cache: string): string[] {
  return foldersIn(cache).flatMap((folder) => {
    const [kind, ...rest] = folder.split("--");
    const repo = rest.join("/");
    if (kind !== "models" || rest.length !== 2 || parseHubName(repo) === undefined) return [];
    return entriesIn(join(cache, folder, "refs")).flatMap((revision) => {
      const suffix = revision === DEFAULT_REVISION ? "" : `@${revision}`;
      const commits = foldersIn(join(cache, folder, "snapshots"));
      const files = new Set(commits.flatMap((commit) => entriesIn(join(cache, folder, "snapshots", commit))));
      return partNames(repo, [...files])
        .map((name) => `${name}${suffix}`)
        .filter((name) => parseHubName(name) !== undefined);
    });
  });
}

/** The repository's name where it means one model; else a name with a PART for each file that one picks out. */
function partNames(repo: string, files: readonly string[]): string[] {
  const models = ggufFiles(files, undefined);
  if (files.includes("config.json") || models.length < 2) return [repo];
  return models.flatMap((file) => {
    const parts = file
      .replace(/\.gguf$/i, "")
      .split(/[.-]/)
      .reverse();
    const part = parts.find((one) => one !== "" && ggufFiles(files, one).join() === file);
    return part === undefined ? [] : [`${repo}:${part}`];
  });
}

function foldersIn(path: string): string[] {
  return entriesIn(path).filter((name) =>
    statSync(join(path, name), { throwIfNoEntry: false })?.isDirectory(),
  );
}

/** A folder that may not be read holds nothing for us. */
function entriesIn(path: string): string[] {
  try {
    return existsSync(path) ? readdirSync(path).sort() : [];
  } catch (error) {
    if (["EACCES", "EPERM", "ENOTDIR"].includes(String((error as NodeJS.ErrnoException).code))) return [];
    throw error;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
