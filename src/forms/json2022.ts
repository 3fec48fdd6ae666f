// The `json2022` form (xloem/codefudge: hist2json.py): lines of {"input", "label"}. The input is a `.file` with the
// other files of its commit behind it, each as path<pad>, an empty line, content<pad>; the label is a `.commit` with
// <pad></s> at its end. At most four lines for a commit, inputs of at most a MiB of characters. A folder of 2022 holds
// all lines in test.json; ours has a file for each split.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Split } from "../dataset/example.ts";
import { readLines } from "../dataset/lines.ts";
import { splits } from "../dataset/store.ts";
import { openCommits } from "./commit-lines.ts";
import { firstRecord, parseRecord } from "./first-record.ts";
import type { Form, FormRecord } from "./form.ts";
import { type Sound, toSound } from "./sound.ts";
import { standInCommit } from "./stand-in.ts";
import { DELIMITER, type FileText, LABEL_END, splitFile } from "./words2022.ts";

const fileOf = (split: Split) => `${split}.json`;

export const json2022: Form = {
  name: "json2022",
  summary: '{"input", "label"} lines of 2022: up to four files of a commit, its others as context',
  formatted: false,
  dataFile: fileOf,
  entries: splits.map(fileOf),
  open: (folder) => openCommits(folder, fileOf),
  matches: (folder) => splits.some((split) => isOurs(firstRecord(join(folder, fileOf(split))))),
  read: readJson,
};

type Line = { readonly input: string; readonly label: string };

function isOurs(record: Readonly<Record<string, unknown>> | undefined): boolean {
  return typeof record?.["input"] === "string" && typeof record["label"] === "string";
}

type Place = { readonly path: string; readonly name: string; readonly split: Split | null };

/** The files of a folder. A test.json alone is one of 2022, which holds everything. */
function placesOf(folder: string): readonly Place[] {
  const own = splits.map((split) => ({ path: join(folder, fileOf(split)), name: fileOf(split), split }));
  const found = own.filter(({ path }) => existsSync(path));
  return found.some(({ split }) => split === "train")
    ? found
    : found.map((place) => ({ ...place, split: null }));
}

function* readJson(folder: string): Generator<FormRecord> {
  let time = -1;
  for (const place of placesOf(folder)) {
    let last: string | undefined;
    let commit = "";
    let number = 0;
    for (const text of readLines(place.path)) {
      number++;
      const name = `${place.name}:${number}`;
      const line = parseRecord(text);
      const input = isOurs(line) ? splitFile((line as Line).input) : undefined;
      // The lines of a commit stand together, and share its message.
      if (input !== undefined && input.message !== last) {
        [last, time] = [input.message, time + 1];
        commit = standInCommit("json2022", `${time}\0${input.message}`);
      }
      yield readLine({ line: line as Line, input, name, commit, time, split: place.split });
    }
  }
}

type Known = {
  readonly line: Line;
  readonly input: FileText | undefined;
  readonly name: string;
  readonly commit: string;
  readonly time: number;
  readonly split: Split | null;
};

function readLine({ line, input, name, commit, time, split }: Known): FormRecord {
  if (input === undefined) {
    const reason = isOurs(line) ? "no-delimiter" : "no-record";
    return { type: "dropped", dropped: { commit: standInCommit("json2022", name), path: name, reason } };
  }
  const { message, path, rest } = input;
  const diff = line.label.endsWith(LABEL_END) ? line.label.slice(0, -LABEL_END.length) : line.label;
  const sound = firstSound(contentEnds(rest), (end) =>
    toSound({ message, path, content: rest.slice(0, end), diff, commit, time }),
  );
  if (sound.ok) return { type: "example", split, example: sound.example };
  const { reason, detail } = sound;
  return { type: "dropped", dropped: { commit, path, reason, ...(detail === undefined ? {} : { detail }) } };
}

/** A file may hold the delimiter as text; so many places are tried. */
const MOST_ENDS = 32;

/** Where the content may end: at a delimiter, those first that the head of another file or nothing follows. */
function contentEnds(rest: string): readonly number[] {
  const likely: number[] = [];
  const others: number[] = [];
  for (let at = rest.indexOf(DELIMITER); at >= 0; at = rest.indexOf(DELIMITER, at + 1)) {
    const after = rest.slice(at + DELIMITER.length, at + DELIMITER.length + 5000);
    (after === "" || /^[^\n]+<pad>\n\n/.test(after) ? likely : others).push(at);
    if (likely.length + others.length >= MOST_ENDS) break;
  }
  return likely.length + others.length === 0 ? [rest.length] : [...likely, ...others];
}

/** The first place at which the diff applies; what is wrong at the first of all where it applies nowhere. */
function firstSound(ends: readonly number[], attempt: (end: number) => Sound): Sound {
  const first = attempt(ends[0]!);
  if (first.ok || first.reason !== "does-not-apply") return first;
  for (const end of ends.slice(1)) {
    const sound = attempt(end);
    if (sound.ok) return sound;
  }
  return first;
}
