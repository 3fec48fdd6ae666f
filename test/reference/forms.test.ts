// A dataset and its exports, read by the programs that they are made for: rows and contents must be those that we
// wrote. Needs Python: the environment variable CODEFUDGE_FORMS_VENV names a virtual environment with datasets, pandas,
// pyarrow and duckdb (versions in forms.py). With CODEFUDGE_DATASET (a dataset folder) the same is done with a real one.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { writeFileAtomic } from "../../src/base/files.ts";
import { createRandom } from "../../src/base/random.ts";
import { createDatasetWriter, splits } from "../../src/dataset/store.ts";
import { datasetCard } from "../../src/forms/card.ts";
import { writeForm } from "../../src/forms/write.ts";
import { createPatch } from "../../src/patch/create.ts";
import { printPatch } from "../../src/patch/print.ts";
import { inFolder } from "../folder.ts";
import { randomEdit, randomPath, randomText } from "../texts.ts";

const { CODEFUDGE_FORMS_VENV: venv, CODEFUDGE_DATASET: real } = process.env;
const FORMS = ["parquet", "json2022", "prompt-completion", "messages"] as const;

/** Nulls alone at the beginning, texts with everything in them, whole and broken weights, an empty split. */
function makeDataset(folder: string): string {
  const random = createRandom(11);
  const writer = createDatasetWriter(folder);
  for (let i = 0; i < 400; i++) {
    const path = randomPath(random);
    const old = i < 100 ? null : `first\n${randomText(random)}`;
    const diff = printPatch(createPatch({ path, old, new: `${randomEdit(random, old ?? "x\n")}!\n` }));
    const commit = String(i >> 1).padStart(40, "a");
    const parent = i < 100 ? null : "b".repeat(40);
    const weight = i % 3 === 0 ? 1 : 0.25;
    const message = `Change ${i} \u2028 \u0001 \u0000 é 🙂\n\n"quoted" \\ and a tab\t`;
    writer.write(i < 350 ? "train" : "test", {
      ...{ message, path, old, diff, commit, parent, weight },
      time: 1_600_000_000 + i,
      author: "Ada",
    });
  }
  const manifest = writer.finish({ counters: { records: 400 }, options: {}, created: {} });
  writeFileAtomic(join(folder, "README.md"), datasetCard(manifest));
  return folder;
}

async function compare(dataset: string, folder: string): Promise<void> {
  const exports = FORMS.map((form) => join(folder, form));
  for (const [i, form] of FORMS.entries()) {
    for await (const _ of writeForm({ dataset, folder: exports[i]! }, { form, format: "region" }));
  }
  const script = new URL("forms.py", import.meta.url).pathname;
  const output = execFileSync(join(venv!, "bin/python"), [script, dataset, ...exports], { encoding: "utf8" });
  const report = JSON.parse(output) as { same: boolean; "lines, json": { rows: number } };
  assert.equal(report.same, true, output);
  assert.ok(report["lines, json"].rows > splits.length, output);
}

const skip = venv === undefined && "CODEFUDGE_FORMS_VENV is not set";

test("other programs read an awkward dataset and its exports as they are", { skip }, async () => {
  await inFolder((folder) => compare(makeDataset(join(folder, "data")), folder));
});

test("other programs read a real dataset and its exports as they are", {
  skip: skip || (real === undefined && "CODEFUDGE_DATASET is not set"),
}, async () => {
  await inFolder((folder) => compare(real!, folder));
});
