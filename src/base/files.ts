// Writing files so that a kill or a full disk never leaves half of one under its final name: every file is
// written beside its place under a temporary name, flushed, and renamed.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "./errors.ts";
import { showReason } from "./show.ts";

/** Writes `data` to `path` through a temporary file in the same folder; makes the folder when it is missing. */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  writeFileFrom(path, [data]);
}

/** As `writeFileAtomic`, from parts written one after another, so that a large file is never whole in memory. */
export function writeFileFrom(path: string, parts: Iterable<string | Uint8Array>): void {
  const file = openAtomic(path);
  try {
    for (const part of parts) file.write(part);
    file.commit();
  } catch (error) {
    file.abort();
    throw error;
  }
}

/** A file being written under a temporary name: `commit` gives it its own name, `abort` removes it. */
export type AtomicFile = {
  write(part: string | Uint8Array): void;
  commit(): void;
  /** Does nothing after `commit`. */
  abort(): void;
};

/** Opens a file beside its place, for writing over a longer time; makes the folder when it is missing. */
export function openAtomic(path: string): AtomicFile {
  const temporary = join(dirname(path), `.${randomBytes(6).toString("hex")}.tmp`);
  let handle: number | undefined;
  let created = false;
  const guarded = (work: () => void) => {
    try {
      work();
    } catch (error) {
      abort();
      throw describeWriteFailure(path, error);
    }
  };
  const abort = () => {
    if (handle === undefined) return;
    closeSync(handle);
    handle = undefined;
    if (created) rmSync(temporary, { force: true });
  };
  guarded(() => {
    makeFolder(dirname(path));
    handle = openSync(temporary, "wx");
    created = true;
  });
  return {
    write: (part) => guarded(() => writeAll(handle!, typeof part === "string" ? Buffer.from(part) : part)),
    commit: () =>
      guarded(() => {
        fsyncSync(handle!);
        renameSync(temporary, path);
        closeSync(handle!);
        handle = undefined;
      }),
    abort,
  };
}

/** Writes `data` to `path` at once: for one of many files in a folder that does not have its own name yet. */
export function writeFileLoose(path: string, data: string | Uint8Array): void {
  try {
    writeFileSync(path, data);
  } catch (error) {
    throw describeWriteFailure(path, error);
  }
}

/** Gives a folder that is whole its own name. */
export function renameFolder(temporary: string, path: string): void {
  try {
    renameSync(temporary, path);
  } catch (error) {
    throw describeWriteFailure(path, error);
  }
}

/** Adds to the end of a file, making it and its folder when missing; a kill may leave the last part of it torn. */
export function appendToFile(path: string, data: Uint8Array): void {
  let handle: number | undefined;
  try {
    makeFolder(dirname(path));
    handle = openSync(path, "a");
    writeAll(handle, data);
  } catch (error) {
    throw describeWriteFailure(path, error);
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

/** JSON with an indent of 2 and a final newline. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** The parsed JSON of a file, or a `UserError` that names the file and what is wrong with it. */
export function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`Expected JSON in ${path}, found a text that does not parse: ${showReason(error)}`);
  }
}

/** The text of a file, or a `UserError` that names it. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`Expected a readable file at ${path}, found none: ${(error as Error).message}`);
  }
}

function writeAll(handle: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(handle, bytes, offset);
}

/** What is thrown for a file that could not be written: a `UserError` with the system's reason in words. */
export function describeWriteFailure(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error;
  return new UserError(`Expected to write ${path}, found ${describeCode(code, error as Error)}`, {
    cause: error,
  });
}

const CODES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ENOSPC: "no space left on the disk; free some and run this again",
    EDQUOT: "no space left within the quota; free some and run this again",
    EROFS: "a file system that cannot be written; give another folder",
    EACCES: "no permission; give another folder, or change whose it is",
    EPERM: "no permission; give another folder, or change whose it is",
    ENOTDIR: "a file where a folder is needed; give another folder",
    EEXIST: "a file where a folder is needed; give another folder",
  }),
);

function describeCode(code: string, error: Error): string {
  return CODES.get(code) ?? `${error.message}; give another folder`;
}

/** Removes what a kill left of files that were being written in `folder`. Nobody else may be writing there. */
export function removeLeftovers(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (/^\.[0-9a-f]{12}\.tmp$/.test(name)) rmSync(join(folder, name), { force: true });
  }
}

/** The same in `folder` and every folder below it. */
export function removeLeftoversBelow(folder: string): void {
  removeLeftovers(folder);
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  for (const entry of entries) if (entry.isDirectory()) removeLeftoversBelow(join(folder, entry.name));
}

/**
 * Makes a folder and those above it that are missing. Node's own recursive form never returns where the system denies
 * a new folder with "no such file", as it does in /proc.
 */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const above = dirname(path);
  if (above !== path) makeFolder(above);
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have been first.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
