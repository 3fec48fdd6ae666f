// What the forms of 2022 are held to: the files that hist.bash and hist2json.py made of a repository where they work
// (names, delimiters, order of parts), and of one where they do not (test/golden/forms/make.py).

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inFolder } from "../../test/folder.ts";
import type { Example } from "../dataset/example.ts";
import { createDatasetWriter, type Dropped } from "../dataset/store.ts";
import type { FormName } from "./form.ts";
import { readForm } from "./read.ts";
import { writeForm } from "./write.ts";

const GOLDEN = new URL("../../test/golden/forms/", import.meta.url).pathname;

function golden(name: string): unknown {
  return JSON.parse(readFileSync(join(GOLDEN, name), "utf8"));
}

type Files = Readonly<Record<string, string>>;

/** The folder as it was made: texts stand as Latin-1, one character a byte. */
function layOut(folder: string, files: Files): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(folder, name), Buffer.from(text, "latin1"));
}

/** A dataset of everything in the golden repository, all of it to train on. */
function makeDataset(folder: string): string {
  const dataset = join(folder, "dataset");
  const writer = createDatasetWriter(dataset);
  const known = { time: 1, author: "Ada Example", weight: 1 };
  for (const example of golden("examples.json") as Example[]) writer.write("train", { ...example, ...known });
  writer.finish({ counters: {}, options: {}, created: {} });
  return dataset;
}

async function write(dataset: string, folder: string, form: FormName): Promise<void> {
  for await (const _ of writeForm({ dataset, folder }, { form, format: "region" }));
}

function readFolder(folder: string): Files {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "latin1")]));
}

test("our pairs are those of hist.bash, name for name and byte for byte", async () => {
  await inFolder(async (folder) => {
    const dataset = makeDataset(folder);
    await write(dataset, join(folder, "pairs"), "pairs");
    assert.deepEqual(readFolder(join(folder, "pairs/train")), golden("sound.json"));
  });
});

test("our lines are those of hist2json.py, but for which four of five files it draws", async () => {
  await inFolder(async (folder) => {
    const dataset = makeDataset(folder);
    await write(dataset, join(folder, "lines"), "json2022");
    const ours = readFileSync(join(folder, "lines/train.json"), "utf8").trimEnd().split("\n");
    const theirs = golden("lines.json") as string[];
    const isFive = (line: string) => line.includes("Five at once");
    const sorted = (lines: readonly string[]) => lines.filter((line) => !isFive(line)).sort();
    assert.deepEqual(sorted(ours), sorted(theirs));
    const five = ours.filter(isFive);
    assert.equal(five.length, 4);
    assert.equal(theirs.filter(isFive).length, 4);
    assert.ok(five.filter((line) => theirs.includes(line)).length >= 3, "the same line for the same file");
  });
});

const sameExample = ({ message, path, old, diff }: Example) => ({ message, path, old, diff: bare(diff) });

function bare(diff: string): string {
  return diff.replace(/^index .*\n/m, "");
}

/** What git has, as a form of 2022 can say it: a subject in one line, one empty line below it. */
const expected = (golden("examples.json") as Example[]).map(sameExample).map((example) => ({
  ...example,
  message: example.message.replace("subject\nof", "subject of").replace("\n\n\n", "\n\n"),
}));

async function readBack(folder: string): Promise<{ examples: Example[]; dropped: Dropped[] }> {
  const examples: Example[] = [];
  const dropped: Dropped[] = [];
  for await (const record of readForm(folder)) {
    if (record.type === "example") examples.push(record.example);
    else dropped.push(record.dropped);
  }
  return { examples, dropped };
}

test("a folder of 2022 with pairs is read as the examples that it was made of", async () => {
  await inFolder(async (folder) => {
    layOut(join(folder, "old"), golden("sound.json") as Files);
    const { examples, dropped } = await readBack(join(folder, "old"));
    assert.deepEqual(dropped, []);
    assert.deepEqual(examples.map(sameExample), expected);
    const commits = [...new Set(examples.map(({ commit }) => commit))];
    assert.equal(commits.length, 10);
    assert.deepEqual(
      [...new Set(examples.map(({ time }) => time))],
      commits.map((_, i) => i),
    );
  });
});

test("a test.json of 2022 is read as the examples that it was made of, contents with delimiters included", async () => {
  await inFolder(async (folder) => {
    mkdirSync(join(folder, "old"));
    const lines = golden("lines.json") as string[];
    writeFileSync(join(folder, "old/test.json"), `${lines.join("\n")}\n`);
    const { examples, dropped } = await readBack(join(folder, "old"));
    assert.deepEqual(dropped, []);
    const key = (example: { path: string; message: string }) => `${example.message}\0${example.path}`;
    const found = new Map(examples.map((example) => [key(example), sameExample(example)]));
    const missing = expected.filter((example) => !found.has(key(example)));
    assert.equal(missing.length, 1, "the fifth file of a commit has no line");
    for (const example of expected) {
      if (!missing.includes(example)) assert.deepEqual(found.get(key(example)), example);
    }
  });
});

/** Paths, or names where the path cannot be read, as the scripts gave them. */
const ODD: readonly string[] = [
  `"gr303266303237e.txt" empty-commit`,
  `"gr303266303237e.txt" empty-commit`,
  `"quo"te" empty-commit`,
  `"quo"te" empty-commit`,
  ".../file.txt truncated-name",
  ".../file.txt truncated-name",
  "00000-00006 undecodable",
  "00001-00008 undecodable",
  "copy.txt broken-rename",
  "image binary",
  "image binary",
  "link round-trip",
  "with empty-commit",
  "with empty-commit",
  "{old broken-rename",
];

test("each defect of hist.bash is counted by its name", async () => {
  await inFolder(async (folder) => {
    layOut(join(folder, "old"), golden("odd.json") as Files);
    const { examples, dropped } = await readBack(join(folder, "old"));
    assert.deepEqual(dropped.map(({ path, reason }) => `${path} ${reason}`).sort(), ODD);
    assert.deepEqual(
      examples.map(({ path }) => path),
      ["moved.txt", "old/edited.txt", "plain.txt", "link", "moved.txt", "plain.txt"],
    );
  });
});
