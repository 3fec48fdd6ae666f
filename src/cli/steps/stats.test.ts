// The step over a small dataset: tables on the output, a page beside the dataset, one object with --json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inFolder } from "../../../test/folder.ts";
import type { Example } from "../../dataset/example.ts";
import type { LeakReport } from "../../dataset/leak.ts";
import { createDatasetWriter, readManifest } from "../../dataset/store.ts";
import { createOutput } from "../output.ts";
import { createProgress } from "../progress.ts";
import type { Face } from "./face.ts";
import { statsStep } from "./stats.ts";

const GOLDEN = new URL("../../../test/golden/forms/examples.json", import.meta.url);
const NO_MODEL = { model: null, format: "region", cwd: "/" };

function makeDataset(folder: string): string {
  const writer = createDatasetWriter(folder);
  const known = { time: 1_700_000_000, author: "Ada", weight: 1 };
  const examples = JSON.parse(readFileSync(GOLDEN, "utf8")) as Example[];
  for (const [i, example] of examples.entries()) {
    writer.write(i < 18 ? "train" : "test", { ...example, ...known });
  }
  writer.finish({ counters: { commits: 10, records: 22, examples: 22 }, options: {}, created: {} });
  return folder;
}

async function run(folder: string, json: boolean, model: string | null = null): Promise<string> {
  let text = "";
  const out = createOutput({ write: (part) => (text += part) });
  const progress = createProgress({ sink: { write: () => {} }, env: {}, quiet: true });
  const face: Face = { out, progress, json, signal: new AbortController().signal };
  assert.equal(await statsStep(folder, { ...NO_MODEL, model }, face), join(folder, "stats.html"));
  return text;
}

test("prints its tables and writes the same page each time", async () => {
  await inFolder(async (folder) => {
    const dataset = makeDataset(join(folder, "data"));
    const text = await run(dataset, false);
    assert.match(text, /^ {2}train +18 +8 {2}2023-11-14 {2}2023-11-14 /m);
    assert.match(text, /^ {2}Text +\d+ {2}\d+\.\d %$/m);
    const page = readFileSync(join(dataset, "stats.html"), "utf8");
    assert.equal([...page.matchAll(/<details>/g)].length, 10);
    const summary = JSON.parse(await run(dataset, true)) as { splits: { test: { examples: number } } };
    assert.equal(summary.splits.test.examples, 4);
    assert.equal(readFileSync(join(dataset, "stats.html"), "utf8"), page);
    const { leak, counters, sha256 } = readManifest(dataset);
    assert.equal((leak as LeakReport).divided.examples, 4, "it is noted in the manifest");
    assert.deepEqual([counters["examples"], Object.keys(sha256).length], [22, 4], "which is else as it was");
    assert.match(text, /^ {2}this one +4? *\d+ +\d+ {2}/m);
  });
});

test("a model that is not there is said, and no page is written", async () => {
  await inFolder(async (folder) => {
    const dataset = makeDataset(join(folder, "data"));
    await assert.rejects(run(dataset, false, "nowhere.gguf"), /^UserError: Expected .*nowhere\.gguf/);
    assert.throws(() => readFileSync(join(dataset, "stats.html")));
  });
});
