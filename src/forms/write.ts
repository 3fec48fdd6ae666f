// Writes a dataset in another form: into a hidden folder beside the final place, whose files are then renamed, with a
// manifest last. Knows no form by name.

import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { makeFolder, writeFileLoose } from "../base/files.ts";
import type { Split } from "../dataset/example.ts";
import { type FormatName, formats } from "../dataset/format.ts";
import { type DatasetManifest, type Dropped, readExamples, readManifest, splits } from "../dataset/store.ts";
import { formCard } from "./card.ts";
import type { Form, FormName, FormWriter } from "./form.ts";
import { type FormManifest, findFormManifest, removeFormManifest, writeFormManifest } from "./manifest.ts";
import { forms } from "./table.ts";

export type WriteEvent = { readonly type: "progress"; readonly done: number; readonly total: number };

export type WriteOptions = { readonly form: FormName; readonly format: FormatName };

const PER_EVENT = 200;
const CARD = "README.md";
const DROPPED = "dropped.jsonl";

/** Writes the dataset in `paths.dataset` to `paths.folder`, which is empty, missing, or an earlier one of any form. */
export async function* writeForm(
  paths: { readonly dataset: string; readonly folder: string },
  { form: name, format }: WriteOptions,
  signal?: AbortSignal,
): AsyncGenerator<WriteEvent, FormManifest> {
  const dataset = readManifest(paths.dataset);
  requirePlace(paths.folder);
  const form = forms[name];
  const hidden = join(paths.folder, `.${randomBytes(6).toString("hex")}.tmp`);
  makeFolder(hidden);
  let writer: FormWriter | undefined;
  try {
    writer = form.open(hidden, formats[format]);
    const written = yield* writeAll(writer, { folder: paths.dataset, dataset }, signal);
    const manifest = manifestOf({ form, format, dataset, written, sha256: hashEntries(hidden, form) });
    writeFileLoose(
      join(hidden, DROPPED),
      written.dropped.map((record) => `${JSON.stringify(record)}\n`).join(""),
    );
    writeFileLoose(join(hidden, CARD), formCard(form, manifest));
    moveInto(paths.folder, hidden);
    writeFormManifest(paths.folder, manifest);
    return manifest;
  } finally {
    writer?.abort();
    rmSync(hidden, { recursive: true, force: true });
  }
}

/** A folder with other things in it is not ours to write in. */
function requirePlace(folder: string): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) {
    throw new UserError(`Expected a folder at ${folder}, found a file; give another --output`);
  }
  const names = readdirSync(folder).filter((name) => name !== "lock" && !/^\.[0-9a-f]{12}\.tmp$/.test(name));
  if (names.length === 0 || findFormManifest(folder) !== undefined) return;
  throw new UserError(
    `Expected a new or empty folder at ${folder}, or one that codefudge export made, found ${names.slice(0, 3).join(", ")}; give another --output`,
  );
}

type Written = { readonly examples: Record<Split, number>; readonly dropped: Dropped[] };

async function* writeAll(
  writer: FormWriter,
  { folder, dataset }: { readonly folder: string; readonly dataset: DatasetManifest },
  signal: AbortSignal | undefined,
): AsyncGenerator<WriteEvent, Written> {
  const written: Written = { examples: { ...dataset.examples }, dropped: [] };
  const total = splits.reduce((sum, split) => sum + dataset.examples[split], 0);
  let done = 0;
  for (const split of splits) {
    for (const example of readExamples(folder, split)) {
      signal?.throwIfAborted();
      const dropped = writer.add(split, example);
      written.examples[split] -= dropped.length;
      written.dropped.push(...dropped);
      if (++done % PER_EVENT === 0) yield { type: "progress", done, total };
    }
  }
  written.dropped.push(...writer.finish());
  yield { type: "progress", done, total };
  return written;
}

type Made = {
  readonly form: Form;
  readonly format: FormatName;
  readonly dataset: DatasetManifest;
  readonly written: Written;
  readonly sha256: Readonly<Record<string, string>>;
};

function manifestOf({ form, format, dataset, written, sha256 }: Made): FormManifest {
  const dropped: Record<string, number> = {};
  for (const { reason } of written.dropped) dropped[reason] = (dropped[reason] ?? 0) + 1;
  return {
    version: 1,
    form: form.name,
    format: form.formatted ? format : null,
    examples: written.examples,
    dropped,
    source: { sha256: dataset.sha256, created: dataset.created },
    sha256,
  };
}

function hashEntries(folder: string, form: Form): Record<string, string> {
  return Object.fromEntries(form.entries.map((name) => [name, hashEntry(join(folder, name))]));
}

/** A file's sha256; of a folder, over its names in order, each with its content's length and the content. */
function hashEntry(path: string): string {
  const hash = createHash("sha256");
  if (!statSync(path).isDirectory()) {
    for (const chunk of readChunks(path)) hash.update(chunk);
    return hash.digest("hex");
  }
  for (const name of readdirSync(path).sort()) {
    const bytes = readFileSync(join(path, name));
    hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

function* readChunks(path: string): Generator<Uint8Array> {
  const handle = openSync(path, "r");
  try {
    const chunk = new Uint8Array(1 << 20);
    for (let size = readSync(handle, chunk); size > 0; size = readSync(handle, chunk)) {
      yield chunk.subarray(0, size);
    }
  } finally {
    closeSync(handle);
  }
}

/** Takes away what an earlier form left, then gives the new files their names. */
function moveInto(folder: string, hidden: string): void {
  const earlier = findFormManifest(folder);
  removeFormManifest(folder);
  for (const name of earlier === undefined ? [] : [...forms[earlier.form].entries, CARD, DROPPED]) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
  for (const name of readdirSync(hidden)) renameSync(join(hidden, name), join(folder, name));
}
