// One file for each split, opened together: at once or not at all, so that none stays behind when another cannot be
// made. Each is under a temporary name until it is committed.

import { join } from "node:path";
import { type AtomicFile, openAtomic } from "../base/files.ts";
import type { Split } from "../dataset/example.ts";
import { splits } from "../dataset/store.ts";

export type SplitFiles = ReadonlyMap<Split, AtomicFile>;

export function openSplitFiles(folder: string, name: (split: Split) => string): SplitFiles {
  const files = new Map<Split, AtomicFile>();
  try {
    for (const split of splits) files.set(split, openAtomic(join(folder, name(split))));
  } catch (error) {
    for (const file of files.values()) file.abort();
    throw error;
  }
  return files;
}

/** Lines written to the files of all splits. */
export type LineFiles = {
  /** `line` is without its newline. */
  write(split: Split, line: string): void;
  finish(): void;
  abort(): void;
};

const FLUSH = 1 << 16;

export function openLineFiles(folder: string, name: (split: Split) => string): LineFiles {
  const files = [...openSplitFiles(folder, name)].map(([split, file]) => ({ split, file, waiting: "" }));
  const flush = (one: { file: AtomicFile; waiting: string }) => {
    one.file.write(one.waiting);
    one.waiting = "";
  };
  return {
    write: (split, line) => {
      const one = files.find((candidate) => candidate.split === split)!;
      one.waiting += `${line}\n`;
      if (one.waiting.length > FLUSH) flush(one);
    },
    finish: () => {
      for (const one of files) {
        flush(one);
        one.file.commit();
      }
    },
    abort: () => {
      for (const { file } of files) file.abort();
    },
  };
}
