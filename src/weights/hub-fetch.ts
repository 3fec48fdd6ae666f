// Brings a model from a hub into the shared cache: several files at once, each continued where it was cut and checked
// by its hash before it gets its name; between processes, each file is fetched once. Long work as a generator of
// events; it opens no connection itself.

import { existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../base/errors.ts";
import { makeFolder } from "../base/files.ts";
import {
  ConnectionError,
  type HubFile,
  type HubListing,
  type HubSettings,
  listFiles,
  openFile,
} from "./hub.ts";
import { findCached, linkBlob, type RepositoryCache, repositoryCache, writeRef } from "./hub-cache.ts";
import { chooseFiles } from "./hub-choice.ts";
import { withDownloadLock } from "./hub-lock.ts";
import { type HubName, isCommit } from "./hub-name.ts";
import { PartialFile } from "./hub-partial.ts";

export type FetchOptions = HubSettings & {
  /** The cache folder, such as ~/.cache/huggingface/hub. */
  readonly cache: string;
  /** Opens no connection: what the cache has, or an error. */
  readonly offline: boolean;
  readonly signal?: AbortSignal;
  /** Seconds before a failed connection is tried again, once for each; after a byte that came they count anew. */
  readonly patience?: readonly number[];
};

export type FetchEvent =
  | { readonly kind: "started"; readonly commit: string; readonly files: number; readonly bytes: number }
  /** Bytes of all files together; `waiting` for another process that fetches the same. */
  | { readonly kind: "progress"; readonly done: number; readonly total: number; readonly waiting: boolean }
  | { readonly kind: "retrying"; readonly file: string; readonly reason: string; readonly seconds: number };

const AT_ONCE = 4;
const LOOK_MS = 200;
const PATIENCE = [1, 2, 5, 10, 30] as const;

/** Yields what happens; returns the path of a model folder or a .gguf file in the cache. A name that the cache has is
 * not asked for again, but for a commit or branch that it lacks. */
export async function* fetchModel(name: HubName, options: FetchOptions): AsyncGenerator<FetchEvent, string> {
  const cached = findCached(options.cache, name, options.offline);
  if (cached !== undefined) return cached;
  if (options.offline) throw notHere(name, options.cache);
  const listing = yield* list(name, options);
  const fetching = new Fetching(name, options, listing);
  yield { kind: "started", commit: listing.commit, files: fetching.files.length, bytes: fetching.total };
  yield* fetching.run();
  const path = findCached(options.cache, { ...name, revision: listing.commit }, true);
  if (path === undefined)
    throw new UserError(
      `Expected a whole model of ${name.repo}, found an incomplete one: its index names other files; choose another model with --model`,
    );
  return path;
}

function notHere({ repo, revision }: HubName, cache: string): UserError {
  const at = revision === "main" ? "" : `@${revision}`;
  return new UserError(
    `Expected ${repo}${at} in ${cache}, found no complete copy, and HF_HUB_OFFLINE forbids to fetch one: unset it, or give the model's folder`,
  );
}

/** The listing, asked for again after a connection that failed. */
async function* list(name: HubName, options: FetchOptions): AsyncGenerator<FetchEvent, HubListing> {
  const { patience = PATIENCE, signal } = options;
  for (const seconds of [...patience, undefined]) {
    try {
      return await listFiles(options, name, signal);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      if (seconds === undefined) throw unreachable(name, error);
      yield { kind: "retrying", file: "the list of files", reason: error.message, seconds };
      await sleep(seconds * 1000, undefined, signal === undefined ? {} : { signal });
    }
  }
  throw new Error("Expected the last attempt to end the loop");
}

function unreachable({ repo }: HubName, error: ConnectionError): UserError {
  return new UserError(
    `Expected to reach the hub for ${repo}, found ${error.message}; what has arrived is kept: check the connection and run this again`,
    { cause: error },
  );
}

/** One model on its way; shared numbers of all its files. */
class Fetching {
  readonly files: readonly HubFile[];
  readonly total: number;
  readonly #name: HubName;
  readonly #options: FetchOptions;
  readonly #listing: HubListing;
  readonly #repository: RepositoryCache;
  readonly #done = new Map<string, number>();
  readonly #events: FetchEvent[] = [];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #waiting = 0;

  constructor(name: HubName, options: FetchOptions, listing: HubListing) {
    this.#name = name;
    this.#options = options;
    this.#listing = listing;
    this.#repository = repositoryCache(options.cache, name.repo);
    this.files = chosen(listing, name);
    this.total = this.files.reduce((sum, { size }) => sum + size, 0);
    this.#signal =
      options.signal === undefined ? this.#stop.signal : AbortSignal.any([options.signal, this.#stop.signal]);
  }

  async *run(): AsyncGenerator<FetchEvent, void> {
    requireSpace(this.#repository, this.files);
    const queue = [...this.files];
    let failure: unknown;
    const worker = async () => {
      for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
        this.#signal.throwIfAborted();
        await this.#fetch(file);
      }
    };
    const workers = Array.from({ length: AT_ONCE }, () =>
      worker().catch((error: unknown) => {
        failure ??= error;
        this.#stop.abort(error);
      }),
    );
    const all = Promise.all(workers);
    try {
      for (let ended = false; !ended; ) {
        ended = await Promise.race([all.then(() => true), sleep(LOOK_MS, false)]);
        yield* this.#events.splice(0);
        yield this.#progress();
      }
    } finally {
      // Also when nobody listens any more.
      this.#stop.abort();
      await all;
    }
    if (failure !== undefined) throw failure;
    this.#publish();
  }

  #progress(): FetchEvent {
    const done = [...this.#done.values()].reduce((sum, bytes) => sum + bytes, 0);
    return { kind: "progress", done, total: this.total, waiting: this.#waiting > 0 };
  }

  /** Names the blobs, those that make it a whole model last. */
  #publish(): void {
    const { commit } = this.#listing;
    for (const { name, hash } of this.files) linkBlob(this.#repository, hash, { commit, name });
    if (!isCommit(this.#name.revision)) writeRef(this.#repository, this.#name.revision, commit);
  }

  async #fetch(file: HubFile): Promise<void> {
    let waits = false;
    const waiting = () => {
      if (!waits) this.#waiting++;
      waits = true;
      this.#done.set(file.name, sizeOf(partial(this.#repository, file)));
    };
    const signal = this.#signal;
    await withDownloadLock(this.#repository.lock(file.hash), { signal, waiting }, async () => {
      if (waits) this.#waiting--;
      const blob = this.#repository.blob(file.hash);
      if (!existsSync(blob)) {
        const part = new PartialFile(partial(this.#repository, file), file);
        try {
          await this.#fill(part);
          part.finish(blob);
        } finally {
          part.close();
        }
      }
      this.#done.set(file.name, file.size);
    });
  }

  /** Fetches what is missing, again after a connection that failed. */
  async #fill(part: PartialFile): Promise<void> {
    const { patience = PATIENCE } = this.#options;
    let failures = 0;
    while (part.length < part.file.size) {
      const before = part.length;
      try {
        await this.#read(part);
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        if (part.length > before) failures = 0;
        const seconds = patience[failures++];
        if (seconds === undefined) throw unreachable(this.#name, error);
        this.#events.push({ kind: "retrying", file: part.file.name, reason: error.message, seconds });
        await sleep(seconds * 1000, undefined, { signal: this.#signal });
      }
    }
  }

  async #read(part: PartialFile): Promise<void> {
    const wish = {
      name: this.#name,
      commit: this.#listing.commit,
      path: part.file.name,
      offset: part.length,
    };
    const { offset, body } = await openFile(this.#options, wish, this.#signal);
    if (offset !== part.length) part.restart();
    for await (const piece of body) {
      part.append(piece);
      this.#done.set(part.file.name, part.length);
    }
    if (part.length < part.file.size) {
      throw new ConnectionError(
        `the end of ${part.file.name} after ${part.length} of ${part.file.size} bytes`,
      );
    }
  }
}

/** The files of the listing that make the model, weights last. */
function chosen(listing: HubListing, name: HubName): HubFile[] {
  const byName = new Map(listing.files.map((file) => [file.name, file]));
  const choice = chooseFiles([...byName.keys()], name);
  const names = choice.kind === "gguf" ? [choice.file] : [...choice.files, ...choice.weights];
  return names.map((file) => byName.get(file)!);
}

function requireSpace(repository: RepositoryCache, files: readonly HubFile[]): void {
  makeFolder(dirname(repository.blob("x")));
  const missing = files
    .filter(({ hash }) => !existsSync(repository.blob(hash)))
    .reduce((sum, file) => sum + file.size - sizeOf(partial(repository, file)), 0);
  const { bavail, bsize } = statfsSync(repository.folder);
  if (missing <= bavail * bsize) return;
  throw new UserError(
    `Expected ${missing} bytes of free space in ${repository.folder}, found ${bavail * bsize}: free some, or set HF_HOME to another disk`,
  );
}

function partial(repository: RepositoryCache, { hash }: HubFile): string {
  return `${repository.blob(hash)}.codefudge.incomplete`;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
