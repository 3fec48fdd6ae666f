// The `pairs` form of 2022 (xloem/codefudge: hist.bash): for each file of a commit NNNNN-NNNNN.file (message,
// <pad>path<pad>, content) and NNNNN-NNNNN.commit (the diff without its `index` line). Commits are numbered from 0,
// oldest first; files by twos, as the script counted them. A folder of 2022 holds all pairs in one place; ours has
// a folder for each split.

import { isUtf8 } from "node:buffer";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, writeFileLoose } from "../base/files.ts";
import type { Example, Split } from "../dataset/example.ts";
import { type Dropped, splits } from "../dataset/store.ts";
import type { Form, FormRecord, FormWriter } from "./form.ts";
import { toSound } from "./sound.ts";
import { standInCommit } from "./stand-in.ts";
import { holdsDelimiter, joinFile, splitFile, withoutIndex } from "./words2022.ts";

export const pairs: Form = {
  name: "pairs",
  summary: "NNNNN-NNNNN.file and .commit of 2022, one pair for each file of a commit",
  formatted: false,
  dataFile: null,
  entries: splits,
  open: openPairs,
  matches: (folder) => placesOf(folder).some(({ path }) => hasPairs(path)),
  read: readPairs,
};

function openPairs(folder: string): FormWriter {
  for (const split of splits) makeFolder(join(folder, split));
  const nameOf = createNumbering();
  return {
    add: (split, example) => {
      const { message, path, old, diff, commit } = example;
      if (holdsDelimiter(message, path)) return [{ commit, path, reason: "holds-delimiter" }];
      const name = join(folder, split, nameOf(example));
      writeFileLoose(`${name}.file`, joinFile(message, path, old));
      writeFileLoose(`${name}.commit`, withoutIndex(diff));
      return [];
    },
    finish: () => [],
    abort: () => {},
  };
}

/** `subnum` was counted up twice in each turn of the script's loop. */
const FILE_STEP = 2;

function createNumbering(): (example: Example) => string {
  let commit = "";
  let number = -1;
  let file = 0;
  return (example) => {
    if (example.commit !== commit) [commit, number, file] = [example.commit, number + 1, 0];
    const name = `${five(number)}-${five(file)}`;
    file += FILE_STEP;
    return name;
  };
}

function five(number: number): string {
  return String(number).padStart(5, "0");
}

type Place = { readonly path: string; readonly split: Split | null };

/** Where the pairs of a folder lie: in it, or in a folder for each split. */
function placesOf(folder: string): readonly Place[] {
  const own = splits.map((split) => ({ path: join(folder, split), split }));
  const found = own.filter(({ path }) => existsSync(path) && statSync(path).isDirectory());
  return found.some(({ path }) => hasPairs(path)) ? found : [{ path: folder, split: null }];
}

function hasPairs(folder: string): boolean {
  return (
    existsSync(folder) &&
    statSync(folder).isDirectory() &&
    readdirSync(folder).some((name) => NAME.test(name))
  );
}

/** What stands before the numbers is a label that the script was given. */
const NAME = /^(?<label>.*?)(?<commit>\d{5,})-(?<file>\d{5,})\.(?:file|commit)$/s;

type Pair = { readonly label: string; readonly commit: number; readonly file: number; readonly name: string };

function* readPairs(folder: string): Generator<FormRecord> {
  let time = -1;
  for (const { path, split } of placesOf(folder)) {
    let last = "";
    for (const pair of listPairs(path)) {
      const group = `${pair.label}${five(pair.commit)}`;
      if (group !== last) [last, time] = [group, time + 1];
      yield readPair(path, { pair, group, time, split });
    }
  }
}

/** The pairs of a folder by their numbers, each once. */
function listPairs(folder: string): readonly Pair[] {
  const found = new Map<string, Pair>();
  for (const entry of readdirSync(folder)) {
    const { label, commit, file } = NAME.exec(entry)?.groups ?? {};
    if (label === undefined) continue;
    const name = entry.slice(0, entry.lastIndexOf("."));
    found.set(name, { label, commit: Number(commit), file: Number(file), name });
  }
  const byLabel = (a: Pair, b: Pair) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0);
  return [...found.values()].sort((a, b) => byLabel(a, b) || a.commit - b.commit || a.file - b.file);
}

type Known = {
  readonly pair: Pair;
  readonly group: string;
  readonly time: number;
  readonly split: Split | null;
};

function readPair(folder: string, { pair, group, time, split }: Known): FormRecord {
  const drop = (commit: string, reason: string, more: Partial<Dropped> = {}): FormRecord => ({
    type: "dropped",
    dropped: { commit, path: pair.name, reason, ...more },
  });
  const file = readPlain(join(folder, `${pair.name}.file`));
  const diff = readPlain(join(folder, `${pair.name}.commit`));
  const nameless = standInCommit("pairs", group);
  if ("defect" in file) return drop(nameless, file.defect, { detail: ".file" });
  if ("defect" in diff) return drop(nameless, diff.defect, { detail: ".commit" });
  const parts = splitFile(file.text);
  if (parts === undefined) return drop(nameless, "no-delimiter");
  const { message, path, rest } = parts;
  const commit = standInCommit("pairs", `${group}\0${message}`);
  const sound = toSound({ message, path, content: rest, diff: diff.text, commit, time });
  if (sound.ok) return { type: "example", split, example: sound.example };
  const { reason, detail } = sound;
  return drop(commit, reason, { path, ...(detail === undefined ? {} : { detail }) });
}

/** More than any pair that is trained on; the script had no bound. */
const MOST_BYTES = 16 << 20;

function readPlain(path: string): { readonly text: string } | { readonly defect: string } {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return { defect: "half-a-pair" };
  // A pipe or a device would be waited for, a link leads elsewhere.
  if (!stat.isFile()) return { defect: "not-a-file" };
  if (stat.size > MOST_BYTES) return { defect: "over-size" };
  const bytes = readFileSync(path);
  return isUtf8(bytes) ? { text: bytes.toString("utf8") } : { defect: "undecodable" };
}
