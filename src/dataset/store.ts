// A dataset on disk: a folder with one JSON line for each example of a split, one for each record left out, and a
// manifest written last, whose presence says that the rest is whole. Knows nothing of where examples come from.

import { createHash, type Hash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { type AtomicFile, openAtomic, readJson, writeJson } from "../base/files.ts";
import type { Example, Split } from "./example.ts";
import { createLineBuffer } from "./line-buffer.ts";
import { readLines } from "./lines.ts";

/** The splits, oldest first. */
export const splits: readonly Split[] = ["train", "validation", "test"];

/** A record that is no example, and why. */
export type Dropped = {
  readonly commit: string;
  readonly path: string;
  readonly reason: string;
  readonly detail?: string;
};

/** `manifest.json` of a dataset folder. */
export type DatasetManifest = {
  readonly version: 1;
  /** Examples in each split. */
  readonly examples: Readonly<Record<Split, number>>;
  /** Named counters of the harvest, such as records dropped by reason. */
  readonly counters: Readonly<Record<string, number>>;
  /** Examples kept and set aside on each side; absent in older datasets. */
  readonly division?: Readonly<Record<string, unknown>>;
  /** Test answers that stand in train, once they were looked for. */
  readonly leak?: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** Where and when it was made, as plain data of the caller. */
  readonly created: Readonly<Record<string, unknown>>;
  /** sha256 of each file, hex. */
  readonly sha256: Readonly<Record<string, string>>;
};

/** What the caller of `finish` knows. */
export type ManifestPart = Pick<DatasetManifest, "counters" | "division" | "options" | "created">;

export type DatasetWriter = {
  write(split: Split, example: Example): void;
  /** The same from the example's JSON line, newline included. */
  writeLine(split: Split, line: Uint8Array): void;
  drop(record: Dropped): void;
  /** Gives the files their names and writes the manifest. */
  finish(part: ManifestPart): DatasetManifest;
  /** Removes what was not finished. Does nothing after `finish`. */
  abort(): void;
};

const MANIFEST = "manifest.json";
const FILES = [...splits.map((split) => `${split}.jsonl`), "dropped.jsonl"];

/** Where the examples of a split lie. */
export function splitPath(folder: string, split: Split): string {
  return join(folder, `${split}.jsonl`);
}

/** Writes a dataset as it comes; an older one in the folder stays until `finish`. */
export function createDatasetWriter(folder: string): DatasetWriter {
  const files = openAll(folder);
  const abort = () => {
    for (const file of files.values()) file.abort();
  };
  const examples: Record<Split, number> = { train: 0, validation: 0, test: 0 };
  return {
    write: (split, example) => {
      files.get(`${split}.jsonl`)!.write(example);
      examples[split]++;
    },
    writeLine: (split, line) => {
      files.get(`${split}.jsonl`)!.writeLine(line);
      examples[split]++;
    },
    drop: (record) => files.get("dropped.jsonl")!.write(record),
    finish: (part) => {
      // Without the manifest a half-renamed folder cannot be taken for a dataset.
      rmSync(join(folder, MANIFEST), { force: true });
      const sha256 = Object.fromEntries([...files].map(([name, file]) => [name, file.commit()]));
      const manifest: DatasetManifest = { version: 1, examples: { ...examples }, ...part, sha256 };
      writeJson(join(folder, MANIFEST), manifest);
      return manifest;
    },
    abort,
  };
}

type LineFile = {
  write(record: object): void;
  writeLine(line: Uint8Array): void;
  commit(): string;
  abort(): void;
};

function openAll(folder: string): ReadonlyMap<string, LineFile> {
  const files = new Map<string, LineFile>();
  try {
    for (const name of FILES) files.set(name, lineFile(openAtomic(join(folder, name))));
  } catch (error) {
    for (const file of files.values()) file.abort();
    throw error;
  }
  return files;
}

const BYTES_PER_WRITE = 1 << 18;

/** JSON lines into a file, gathered into larger writes; `commit` returns the sha256 of the whole. */
function lineFile(file: AtomicFile): LineFile {
  const hash: Hash = createHash("sha256");
  const waiting = createLineBuffer();
  const flush = () => {
    const bytes = waiting.take();
    hash.update(bytes);
    file.write(bytes);
  };
  const flushFull = () => {
    if (waiting.size() >= BYTES_PER_WRITE) flush();
  };
  return {
    write: (record) => {
      waiting.add(record);
      flushFull();
    },
    writeLine: (line) => {
      waiting.addLine(line);
      flushFull();
    },
    commit: () => {
      flush();
      file.commit();
      return hash.digest("hex");
    },
    abort: file.abort,
  };
}

/** The examples of a split, oldest first, read line by line; a `UserError` names a line that is not one. */
export function* readExamples(folder: string, split: Split): Generator<Example> {
  const path = splitPath(folder, split);
  let number = 0;
  for (const line of readLines(path)) {
    number++;
    yield parseExample(line, `${path}:${number}`);
  }
}

const FIELDS: Readonly<Record<keyof Example, readonly string[]>> = {
  message: ["string"],
  path: ["string"],
  old: ["string", "null"],
  diff: ["string"],
  commit: ["string"],
  parent: ["string", "null"],
  time: ["number"],
  author: ["string"],
  weight: ["number"],
};

function parseExample(line: string, place: string): Example {
  // Lines written before there were weights have none.
  const value: Record<string, unknown> = { weight: 1, ...parseObject(line, place) };
  for (const [name, types] of Object.entries(FIELDS)) {
    const found = value[name] === null ? "null" : typeof value[name];
    if (!types.includes(found)) {
      throw new UserError(`Expected "${name}" to be ${types.join(" or ")} in ${place}, found ${found}`);
    }
  }
  return value as Example;
}

function parseObject(line: string, place: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below, with the place.
  }
  throw new UserError(`Expected one example as JSON in ${place}, found ${JSON.stringify(line.slice(0, 40))}`);
}

/** Whether a folder holds a whole dataset. */
export function hasManifest(folder: string): boolean {
  return existsSync(join(folder, MANIFEST));
}

/** Adds to the manifest what was found out about a dataset after it was made. */
export function addToManifest(folder: string, found: Pick<DatasetManifest, "leak">): void {
  writeJson(join(folder, MANIFEST), { ...readManifest(folder), ...found });
}

/** The manifest of a dataset; a `UserError` where there is no whole dataset. */
export function readManifest(folder: string): DatasetManifest {
  const path = join(folder, MANIFEST);
  if (!existsSync(path)) {
    throw new UserError(
      `Expected a dataset in ${folder}, found no ${MANIFEST}; run codefudge history to make one`,
    );
  }
  const manifest = readJson(path) as Partial<DatasetManifest> | null;
  if (manifest?.version === 1 && manifest.examples !== undefined) return manifest as DatasetManifest;
  throw new UserError(
    `Expected a dataset manifest of version 1 in ${path}, found another; run codefudge history to make it anew`,
  );
}
