// The lines that hist2json.py makes of a commit: one for each of up to four of its files, with the others as context
// until the input is full. Where the script drew files at random, a generator seeded by the commit draws here, and
// files keep their order. No more of a commit is held in memory than its lines need.

import { createRandom, type Random } from "../base/random.ts";
import type { Example, Split } from "../dataset/example.ts";
import type { Dropped } from "../dataset/store.ts";
import type { FormWriter } from "./form.ts";
import { openLineFiles } from "./split-files.ts";
import { DELIMITER, holdsDelimiter, joinFile, joinPart, LABEL_END, withoutIndex } from "./words2022.ts";

/** MAX_FILES_PER_COMMIT and MAX_INPUT, in characters as Python counts them. */
const MOST_FILES = 4;
const MOST_INPUT = 16 * 65536;

type File = { readonly index: number; readonly example: Example };
type Part = { readonly index: number; readonly text: string };

type Commit = {
  readonly id: string;
  readonly split: Split;
  readonly random: Random;
  readonly chosen: File[];
  readonly parts: Part[];
  partsLength: number;
  /** Files so far, and those of them that a line could be made of. */
  files: number;
  able: number;
};

export function openCommits(folder: string, name: (split: Split) => string): FormWriter {
  const files = openLineFiles(folder, name);
  let commit: Commit | undefined;
  const flush = () => {
    for (const line of commit === undefined ? [] : linesOf(commit)) files.write(commit!.split, line);
  };
  return {
    add: (split, example) => {
      if (commit === undefined || commit.id !== example.commit || commit.split !== split) {
        flush();
        commit = startCommit(split, example.commit);
      }
      return addFile(commit, example);
    },
    finish: () => {
      flush();
      files.finish();
      return [];
    },
    abort: files.abort,
  };
}

function startCommit(split: Split, id: string): Commit {
  const random = createRandom(Number.parseInt(id.slice(0, 8), 16) || 0);
  return { id, split, random, chosen: [], parts: [], partsLength: 0, files: 0, able: 0 };
}

function addFile(commit: Commit, example: Example): readonly Dropped[] {
  const { message, path, old } = example;
  if (holdsDelimiter(message, path)) return [dropped(example, "holds-delimiter")];
  const file = { index: commit.files++, example };
  keepPart(commit, file.index, `${joinPart(path, old).slice(DELIMITER.length)}${DELIMITER}`);
  if (countCharacters(inputOf(example)) > MOST_INPUT) return [dropped(example, "over-size")];
  const evicted = choose(commit, file);
  return evicted === undefined ? [] : [dropped(evicted.example, "fifth-file")];
}

/** Every file has the same chance to be among those chosen (Vitter's algorithm R); returns the one that is not. */
function choose(commit: Commit, file: File): File | undefined {
  commit.able++;
  if (commit.chosen.length < MOST_FILES) {
    commit.chosen.push(file);
    return undefined;
  }
  const place = commit.random.below(commit.able);
  const evicted = commit.chosen[place];
  if (evicted === undefined) return file;
  commit.chosen[place] = file;
  return evicted;
}

/** Keeps as much context as any one input can take beside a file of its own. */
function keepPart(commit: Commit, index: number, text: string): void {
  if (commit.partsLength > 4 * MOST_INPUT) return;
  commit.parts.push({ index, text });
  commit.partsLength += text.length;
}

function dropped({ commit, path }: Example, reason: string): Dropped {
  return { commit, path, reason };
}

function inputOf({ message, path, old }: Example): string {
  return joinFile(message, path, old) + DELIMITER;
}

function linesOf({ chosen, parts }: Commit): string[] {
  const inOrder = [...chosen].sort((a, b) => a.index - b.index);
  return inOrder.map(({ index, example }) => {
    const others = parts.filter((part) => part.index !== index);
    const input = withContext(inputOf(example), others);
    return printPython({ input, label: withoutIndex(example.diff) + LABEL_END });
  });
}

function withContext(input: string, others: readonly Part[]): string {
  const texts = [input];
  let space = MOST_INPUT - countCharacters(input);
  for (const { text } of others) {
    if (space <= 0) break;
    texts.push(cutCharacters(text, space));
    space -= countCharacters(text);
  }
  return texts.join("");
}

const PAIRS = /[\ud800-\udbff][\udc00-\udfff]/g;

/** Unicode code points, which is what Python counts. */
function countCharacters(text: string): number {
  return text.length - (text.match(PAIRS)?.length ?? 0);
}

function cutCharacters(text: string, most: number): string {
  return text.length <= most ? text : [...text.slice(0, 2 * most)].slice(0, most).join("");
}

/** JSON as Python's json.dumps writes it: a space behind `,` and `:`, everything beyond ASCII escaped. */
function printPython(line: { readonly input: string; readonly label: string }): string {
  return `{"input": ${quote(line.input)}, "label": ${quote(line.label)}}`;
}

function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
