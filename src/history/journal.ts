// The journal of a dataset: the entries of every commit that was read, in our order, so that a run that was stopped
// goes on and the next one reads only what is new. What it holds is true for its identity alone: other options, rules
// or another git begin it anew.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { createLineBuffer } from "../dataset/line-buffer.ts";
import { splitOptions } from "../dataset/split.ts";
import type { RepositoryRules } from "../filters/options.ts";
import { type BlockFile, openBlocks } from "./blocks.ts";
import { decodeEntries, type Entry, encodeEntry } from "./entry.ts";
import type { HistoryOptions } from "./options.ts";
import type { Shadow } from "./shadow.ts";

export type Journal = {
  /** The commits that it holds whole, in order. */
  readonly commits: readonly string[];
  /** The entries of all commits that it held when it was opened, block by block, examples without their old content. */
  read(): Generator<Entry[]>;
  append(entries: readonly Entry[]): void;
  /** Writes what waits, as far as commits are whole, and closes the file. */
  close(): void;
};

/** Raised whenever the entries of a commit may come out otherwise than before. */
const RULES = 2;
const BLOCK_BYTES = 1 << 20;
// What the last line of a block usually needs at most.
const ROOM_BYTES = 1 << 19;

/** Where the journal of a dataset lies. */
export function journalPath(folder: string): string {
  return join(folder, "journal");
}

// These choose commits, or say how to work and how to divide: entries do not depend on them.
const CHOICES: readonly string[] = ["max_commits", "since", "until", "jobs", ...Object.keys(splitOptions)];

/** All that entries depend on beside their commit. */
export function identify(shadow: Shadow, options: HistoryOptions, rules: RepositoryRules): string {
  const own = Object.fromEntries(Object.entries(options).filter(([name]) => !CHOICES.includes(name)));
  const { algorithm, gitVersion } = shadow;
  const parts = {
    rules: RULES,
    algorithm,
    gitVersion,
    options: own,
    ...rules,
    shallow: [...shadow.shallow].sort(),
  };
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Of a block: the commits that end in it, and whether its last one goes on in the next. */
type Label = { readonly commits: readonly string[]; readonly more: boolean };

/** Opens the journal at `path`; one of another identity, and what is broken at its end, is cut off. */
export function openJournal(path: string, identity: string): Journal {
  const file = openBlocks(path, `codefudge journal 2 ${identity}`);
  const labels = () => file.blocks.map(({ label }) => label as Label);
  file.cut(labels().findLastIndex(({ more }) => !more) + 1);
  const held = file.blocks.slice();
  const writer = createWriter(file);
  return {
    commits: labels().flatMap(({ commits }) => commits),
    *read() {
      for (const block of held) yield decodeEntries(file.read(block));
    },
    append: writer.append,
    close() {
      try {
        writer.end();
      } finally {
        file.close();
      }
    },
  };
}

function createWriter(file: BlockFile) {
  const buffer = createLineBuffer(BLOCK_BYTES + ROOM_BYTES);
  let commits: string[] = [];
  /** The last commit, the records that it still lacks, and the bytes there were when it was last whole. */
  let open = { commit: "", left: 0, whole: 0 };
  const flush = () => {
    if (buffer.size() > 0) file.append({ commits, more: open.left > 0 } satisfies Label, buffer.take());
    commits = [];
    open = { ...open, whole: 0 };
  };
  const add = (entry: Entry) => {
    encodeEntry(entry, buffer);
    if (entry.type === "commit") open = { ...open, commit: entry.commit, left: entry.records };
    else open = { ...open, left: open.left - 1 };
    if (open.left === 0) {
      commits.push(open.commit);
      open = { ...open, whole: buffer.size() };
    }
    if (buffer.size() >= BLOCK_BYTES) flush();
  };
  return {
    append(entries: readonly Entry[]) {
      for (const entry of entries) add(entry);
    },
    end() {
      // Of a commit that is not whole nothing is kept: the next run reads it again.
      buffer.cut(open.whole);
      open = { ...open, left: 0 };
      flush();
    },
  };
}
