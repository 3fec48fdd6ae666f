// Every form written and read back, with everything in the examples that trips files and tables; and the folder it is
// written to: what may be replaced, and what is left when the writing stops half way.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inFolder } from "../../test/folder.ts";
import { randomEdit, randomPath, randomText } from "../../test/texts.ts";
import { createRandom } from "../base/random.ts";
import type { Example, Split } from "../dataset/example.ts";
import { createDatasetWriter, readManifest, splits } from "../dataset/store.ts";
import { createPatch } from "../patch/create.ts";
import { printPatch } from "../patch/print.ts";
import type { FormName, FormRecord } from "./form.ts";
import type { FormManifest } from "./manifest.ts";
import { detectForm, readForm } from "./read.ts";
import { forms } from "./table.ts";
import { writeForm } from "./write.ts";

const MESSAGES = [
  "Fix it",
  "Subject\n\nBody\nof two lines\n\nand a second part",
  "grüße \u2028 日本 🙂",
  "x".repeat(200),
];

/** Commits of one to seven files, some of them created, deleted and renamed, in all splits. */
function randomExamples(seed: number): { split: Split; example: Example }[] {
  const random = createRandom(seed);
  return splits.flatMap((split, s) =>
    Array.from({ length: 6 }, (_, c) => {
      const commit = `${s}${c}`.repeat(20);
      const message = MESSAGES[random.below(MESSAGES.length)]!;
      const parent = s + c === 0 ? null : commit.replaceAll("0", "1");
      const known = { message, commit, parent, time: 1700000000 + 100 * s + c, author: "Ada", weight: 0.5 };
      return Array.from({ length: 1 + random.below(7) }, (_, f) => ({
        split,
        example: { ...known, ...randomChange(random, f) },
      }));
    }).flat(),
  );
}

type ChangeParts = Pick<Example, "path" | "old" | "diff">;

function randomChange(random: ReturnType<typeof createRandom>, file: number): ChangeParts {
  const path = `${file}${randomPath(random)}`;
  const text = `first\n${randomText(random)}`;
  const edited = `${randomEdit(random, text)}!`;
  const kind = random.below(5);
  if (kind === 0) return { path, old: null, diff: printPatch(createPatch({ path, old: null, new: text })) };
  if (kind === 1) return { path, old: text, diff: printPatch(createPatch({ path, old: text, new: null })) };
  const rename = kind === 2 ? { from: path, path: `${path}-new` } : { path };
  const diff = printPatch(createPatch({ ...rename, old: text, new: edited }));
  return { path, old: text, diff };
}

function writeDataset(folder: string, examples: readonly { split: Split; example: Example }[]): string {
  const writer = createDatasetWriter(folder);
  for (const { split, example } of examples) writer.write(split, example);
  const created = { repository: "/some/where/secret/name", head: "abc" };
  writer.finish({ counters: { commits: 18, records: 50, examples: 40, binary: 3 }, options: {}, created });
  return folder;
}

async function write(dataset: string, folder: string, form: FormName): Promise<FormManifest> {
  const events = writeForm({ dataset, folder }, { form, format: "region" });
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
  }
}

async function readAll(folder: string): Promise<FormRecord[]> {
  const records: FormRecord[] = [];
  for await (const record of readForm(folder)) records.push(record);
  return records;
}

/** What every form keeps: commits by which examples they group. */
function kept(records: readonly { split: Split | null; example: Example }[]): unknown[] {
  const commits = [...new Set(records.map(({ example }) => example.commit))];
  return records.map(({ split, example: { message, path, old, diff, commit } }) => ({
    ...{ split, message, path, old, diff },
    group: commits.indexOf(commit),
  }));
}

test("Parquet gives back every field of every example", async () => {
  await inFolder(async (folder) => {
    const examples = randomExamples(1);
    const manifest = await write(
      writeDataset(join(folder, "data"), examples),
      join(folder, "out"),
      "parquet",
    );
    const records = await readAll(join(folder, "out"));
    assert.deepEqual(
      records,
      examples.map(({ split, example }) => ({ type: "example", split, example })),
    );
    assert.equal(
      splits.reduce((sum, split) => sum + manifest.examples[split], 0),
      examples.length,
    );
  });
});

test("pairs give back message, path, content, diff, commit and split", async () => {
  await inFolder(async (folder) => {
    for (const seed of [2, 3, 4]) {
      const examples = randomExamples(seed);
      const dataset = writeDataset(join(folder, `data${seed}`), examples);
      await write(dataset, join(folder, `out${seed}`), "pairs");
      const records = await readAll(join(folder, `out${seed}`));
      assert.deepEqual(kept(records.filter((record) => record.type === "example")), kept(examples));
    }
  });
});

test("lines of 2022 give back up to four files of a commit, and count the others", async () => {
  await inFolder(async (folder) => {
    const examples = randomExamples(5);
    const dataset = writeDataset(join(folder, "data"), examples);
    const manifest = await write(dataset, join(folder, "out"), "json2022");
    const found = (await readAll(join(folder, "out"))).filter((record) => record.type === "example");
    const whole = examples.filter(({ example }) =>
      found.some((one) => one.example.path === example.path && one.example.diff === example.diff),
    );
    assert.equal(found.length + (manifest.dropped["fifth-file"] ?? 0), examples.length);
    assert.ok(found.length < examples.length, "some commit has more than four files");
    const sorted = (all: unknown[]) => all.map((one) => JSON.stringify(one)).sort();
    const ungrouped = (all: readonly { split: Split | null; example: Example }[]) =>
      all.map(({ split, example: { message, path, old, diff } }) => ({ split, message, path, old, diff }));
    assert.deepEqual(sorted(ungrouped(found)), sorted(ungrouped(whole)));
    const reasons = readFileSync(join(folder, "out/dropped.jsonl"), "utf8").trimEnd().split("\n");
    assert.equal(reasons.length, manifest.dropped["fifth-file"]);
  });
});

test("prompts and completions are those of the answer format", async () => {
  await inFolder(async (folder) => {
    const dataset = writeDataset(join(folder, "data"), randomExamples(6));
    const counts = readManifest(dataset).examples;
    for (const [form, wanted] of [
      ["prompt-completion", /^\{"prompt":"(File|New file): .*Change:\\n","completion":"@/s],
      [
        "messages",
        /^\{"messages":\[\{"role":"user","content":".*\},\{"role":"assistant","content":"@.*"\}\]\}$/s,
      ],
    ] as const) {
      const manifest = await write(dataset, join(folder, form), form);
      const lines = readFileSync(join(folder, form, "test.jsonl"), "utf8").split("\n");
      assert.equal(lines.pop(), "");
      assert.deepEqual(manifest.examples, counts);
      assert.equal(lines.length, counts.test);
      for (const line of lines) assert.match(line, wanted);
      await assert.rejects(readAll(join(folder, form)), /^UserError: Expected a form that can be read back/);
    }
  });
});

test("what a form of 2022 cannot hold is counted by name", async () => {
  await inFolder(async (folder) => {
    const [first] = randomExamples(7);
    const with_ = (change: Partial<Example>) =>
      ({ split: "train", example: { ...first!.example, ...change } }) as const;
    const dataset = writeDataset(join(folder, "data"), [
      with_({ message: "says <pad> itself" }),
      with_({ path: "a<pad>b" }),
      with_({ commit: "f".repeat(40), old: "🙂".repeat(1 << 20) }),
    ]);
    assert.deepEqual((await write(dataset, join(folder, "pairs"), "pairs")).dropped, {
      "holds-delimiter": 2,
    });
    const { dropped, examples } = await write(dataset, join(folder, "lines"), "json2022");
    assert.deepEqual(dropped, { "holds-delimiter": 2, "over-size": 1 });
    assert.equal(examples.train, 0);
  });
});

test("a folder says its form, has a card, and no place on this disk in it", async () => {
  await inFolder(async (folder) => {
    const dataset = writeDataset(join(folder, "data"), randomExamples(8));
    for (const form of Object.values(forms)) {
      const out = join(folder, form.name);
      const manifest = await write(dataset, out, form.name);
      assert.equal(detectForm(out), form.name);
      assert.deepEqual(
        readdirSync(out).sort(),
        ["README.md", "dropped.jsonl", "form.json", ...form.entries].sort(),
      );
      assert.deepEqual(Object.keys(manifest.sha256).sort(), [...form.entries].sort());
      const card = readFileSync(join(out, "README.md"), "utf8");
      assert.match(card, /^---\npretty_name: "Changes of name"\nlicense: unknown\n/);
      assert.doesNotMatch(card, /secret/);
      assert.equal(card.includes("configs:"), form.dataFile !== null);
    }
  });
});

test("the same dataset gives the same bytes", async () => {
  await inFolder(async (folder) => {
    const dataset = writeDataset(join(folder, "data"), randomExamples(9));
    for (const form of Object.values(forms)) {
      const first = await write(dataset, join(folder, `${form.name}-1`), form.name);
      const second = await write(dataset, join(folder, `${form.name}-2`), form.name);
      assert.deepEqual(first, second);
    }
  });
});

test("an earlier export is replaced, of whatever form; anything else in the folder is left alone", async () => {
  await inFolder(async (folder) => {
    const dataset = writeDataset(join(folder, "data"), randomExamples(10));
    const out = join(folder, "out");
    await write(dataset, out, "pairs");
    await write(dataset, out, "parquet");
    assert.equal(existsSync(join(out, "train")), false, "pairs are gone");
    assert.equal(detectForm(out), "parquet");
    const full = join(folder, "full");
    mkdirSync(full);
    writeFileSync(join(full, "precious"), "mine");
    await assert.rejects(
      write(dataset, full, "pairs"),
      /^UserError: Expected a new or empty folder .* found precious/,
    );
    await assert.rejects(write(dataset, join(full, "precious"), "pairs"), /^UserError: Expected a folder at/);
    await assert.rejects(write(dataset, dataset, "pairs"), /^UserError: Expected a new or empty folder/);
    assert.deepEqual(readdirSync(full), ["precious"]);
  });
});

test("stopped half way, nothing new is left and the earlier export is whole", async () => {
  await inFolder(async (folder) => {
    const many = [...Array(5).keys()].flatMap((seed) => randomExamples(100 + seed));
    const bySplit = splits.flatMap((split) => many.filter((one) => one.split === split));
    const dataset = writeDataset(join(folder, "data"), bySplit);
    for (const form of Object.values(forms)) {
      const out = join(folder, form.name);
      const before = await write(dataset, out, form.name);
      const names = readdirSync(out).sort();
      const controller = new AbortController();
      const events = writeForm(
        { dataset, folder: out },
        { form: form.name, format: "region" },
        controller.signal,
      );
      await events.next();
      controller.abort();
      await assert.rejects(
        async () => {
          for (let next = await events.next(); !next.done; ) next = await events.next();
        },
        { name: "AbortError" },
      );
      assert.deepEqual(readdirSync(out).sort(), names);
      assert.deepEqual(JSON.parse(readFileSync(join(out, "form.json"), "utf8")), before);
    }
    assert.ok(bySplit.length > 200, "enough for one event before the end");
  });
});
