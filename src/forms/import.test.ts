// A folder in another form becomes a dataset that trains: with splits of its own or by order, its losses counted.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inFolder } from "../../test/folder.ts";
import type { DatasetManifest } from "../dataset/store.ts";
import { readExamples, readManifest, splits } from "../dataset/store.ts";
import { fingerprintOf, importForm } from "./import.ts";
import { writeForm } from "./write.ts";

const GOLDEN = new URL("../../test/golden/forms/", import.meta.url).pathname;

function layOut(folder: string, name: string): string {
  mkdirSync(folder, { recursive: true });
  const files = JSON.parse(readFileSync(join(GOLDEN, name), "utf8")) as Record<string, string>;
  for (const [file, text] of Object.entries(files))
    writeFileSync(join(folder, file), Buffer.from(text, "latin1"));
  return folder;
}

async function bring(form: string, dataset: string): Promise<DatasetManifest> {
  const events = importForm({ form, dataset });
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
  }
}

test("pairs of 2022 become a dataset split by their order, whole commits on one side", async () => {
  await inFolder(async (folder) => {
    const manifest = await bring(layOut(join(folder, "old"), "sound.json"), join(folder, "data"));
    assert.deepEqual(readManifest(join(folder, "data")), manifest);
    const { commits, records, examples } = manifest.counters;
    assert.deepEqual({ commits, records, examples }, { commits: 10, records: 22, examples: 22 });
    const bySplit = splits.map((split) => [...readExamples(join(folder, "data"), split)]);
    assert.ok(bySplit.every((list) => list.length > 0));
    const times = bySplit.map((list) => list.map(({ time }) => time));
    assert.ok(
      Math.max(...times[0]!) < Math.min(...times[1]!) && Math.max(...times[1]!) < Math.min(...times[2]!),
    );
  });
});

test("what is wrong with records is counted, and the counters add up", async () => {
  await inFolder(async (folder) => {
    const { counters } = await bring(layOut(join(folder, "old"), "odd.json"), join(folder, "data"));
    const { commits: _c, merges: _m, records, examples, ...dropped } = counters;
    assert.equal(records, 21);
    assert.equal(records, examples! + Object.values(dropped).reduce((sum, count) => sum + count, 0));
    assert.equal(dropped["truncated-name"], 2);
    assert.equal(dropped.binary, 2);
    const lines = readFileSync(join(folder, "data/dropped.jsonl"), "utf8").trimEnd().split("\n");
    assert.equal(lines.length, records! - examples!);
  });
});

test("splits that a form has are kept", async () => {
  await inFolder(async (folder) => {
    const first = await bring(layOut(join(folder, "old"), "sound.json"), join(folder, "data"));
    for (const form of ["pairs", "parquet", "json2022"] as const) {
      const out = join(folder, form);
      for await (const _ of writeForm(
        { dataset: join(folder, "data"), folder: out },
        { form, format: "region" },
      ));
      const again = await bring(out, join(folder, `again-${form}`));
      const fifth = form === "json2022" ? 1 : 0;
      assert.deepEqual(again.examples, { ...first.examples, train: first.examples.train - fifth });
    }
  });
});

test("a folder with nothing to train on is refused with what was found, and nothing is written", async () => {
  await inFolder(async (folder) => {
    const old = layOut(join(folder, "old"), "odd.json");
    const files = JSON.parse(readFileSync(join(GOLDEN, "odd.json"), "utf8")) as Record<string, string>;
    for (const file of Object.keys(files)) if (file.endsWith(".commit")) rmSync(join(old, file));
    await assert.rejects(bring(old, join(folder, "data")), /found 21 with none that can \(.*half-a-pair/);
    await assert.rejects(
      bring(join(folder, "nowhere"), join(folder, "data")),
      /^UserError: Expected a dataset in one/,
    );
    assert.throws(() => readManifest(join(folder, "data")));
  });
});

test("the fingerprint of a folder changes with its files", async () => {
  await inFolder(async (folder) => {
    const old = layOut(join(folder, "old"), "sound.json");
    const before = fingerprintOf(old);
    assert.equal(fingerprintOf(old), before);
    writeFileSync(join(old, "00000-00000.file"), "longer than it was before, and by far");
    assert.notEqual(fingerprintOf(old), before);
  });
});
