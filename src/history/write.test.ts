// Whether a dataset folder holds the whole harvest, split by time, the same bytes each time.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { awkwardSteps } from "../../test/awkward.ts";
import { makeRepository, withFolder } from "../../test/repository.ts";
import { defaultsOf } from "../base/options.ts";
import { type DatasetManifest, type Dropped, readExamples, readManifest, splits } from "../dataset/store.ts";
import { type HistoryOptions, historyOptions } from "./options.ts";
import { dropReasons } from "./reasons.ts";
import { createSample } from "./sample.ts";
import { writeDataset } from "./write.ts";

async function write(
  repository: string,
  folder: string,
  options: Partial<HistoryOptions> = {},
): Promise<DatasetManifest> {
  const source = writeDataset({ repository, folder }, { ...defaultsOf(historyOptions), ...options });
  for (;;) {
    const next = await source.next();
    if (next.done) return next.value;
  }
}

test("the splits follow time, no commit stands on two sides, and the counters add up", async () => {
  await withFolder(async (folder) => {
    await createSample(join(folder, "r"));
    const manifest = await write(join(folder, "r"), join(folder, "data"));
    assert.deepEqual(readManifest(join(folder, "data")), manifest);
    const sides = splits.map((split) => [...readExamples(join(folder, "data"), split)]);
    let latest = 0;
    for (const side of sides) {
      assert.ok(side.length > 0);
      assert.ok(Math.min(...side.map(({ time }) => time)) > latest);
      latest = Math.max(...side.map(({ time }) => time));
    }
    assert.deepEqual(
      sides.map((side) => side.length),
      splits.map((split) => manifest.examples[split]),
    );
    const { counters } = manifest;
    const dropped = dropReasons.reduce((sum, reason) => sum + counters[reason]!, 0);
    assert.equal(counters["records"], counters["examples"]! + dropped);
    assert.equal(
      sides.reduce((sum, side) => sum + side.length, 0),
      counters["examples"],
    );
  });
});

test("where there is no folder for temporary files that is said, and no thread is left behind", async () => {
  const { TMPDIR } = process.env;
  await withFolder(async (folder) => {
    await createSample(join(folder, "r"));
    // As large as the index of a long history.
    const packs = join(folder, "r", ".git", "objects", "pack");
    mkdirSync(packs, { recursive: true });
    writeFileSync(join(packs, "pack-none.idx"), Buffer.alloc(1 << 17));
    process.env["TMPDIR"] = join(folder, "none");
    try {
      await assert.rejects(write(join(folder, "r"), join(folder, "data")), /^UserError: Expected to write /);
    } finally {
      if (TMPDIR === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = TMPDIR;
    }
    assert.ok(!process.getActiveResourcesInfo().includes("MessagePort"), "a thread");
  });
});

/** Something to hold out. */
const plainSteps = [1, 2, 3, 4, 5, 6].map((i) => ({ files: { "plain.txt": `${i}\n` } }));

test("a history with nothing to learn from or to hold out is no dataset, and the one before it stays", async () => {
  await withFolder(async (folder) => {
    await createSample(join(folder, "r"), { commits: 20 });
    const manifest = await write(join(folder, "r"), join(folder, "data"));
    for (const steps of [plainSteps.slice(0, 2), awkwardSteps]) {
      const repository = await makeRepository(join(folder, `r${steps.length}`), steps);
      await assert.rejects(
        write(repository, join(folder, "data")),
        /^UserError: Expected .* with more history$/,
      );
    }
    assert.deepEqual(readManifest(join(folder, "data")), manifest);
    assert.equal(readdirSync(join(folder, "data")).length, splits.length + 3);
  });
});

test("what was chosen too narrowly is said with what chose it", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), [...awkwardSteps, ...plainSteps]);
    const refused: readonly [Partial<HistoryOptions>, RegExp][] = [
      [{ include: ["nowhere"] }, /found 0 examples .*; \d+ changes are left out by --include, --exclude, /],
      [{ author: ["nobody"] }, /found 0 examples .*; \d+ changes are left out by .*--author/],
      [
        { test_since: "2100-01-01" },
        /found \d+ examples .* and 0 to measure on; choose another day for --test_since$/,
      ],
      [
        { since: "2100-01-01" },
        /found 0; \d+ can be read, choose more of them with --since, --until and --max_commits$/,
      ],
      [{ max_commits: 2 }, /Expected at least 3 commits .*, found 2; \d+ can be read/],
    ];
    for (const [options, words] of refused) {
      await assert.rejects(write(repository, join(folder, "data"), options), words);
    }
  });
});

test("what stood in a file before the first commit that is read, or came with no example, is known to the division", async () => {
  await withFolder(async (folder) => {
    const line = (name: string) => `const ${name} = "a line that is long enough to tell";\n`;
    const filler = Array.from({ length: 20 }, (_, i) => ({ files: { "plain.txt": `${i} of twenty\n` } }));
    const repository = await makeRepository(join(folder, "r"), [
      { files: { a: `${line("before")}1\n` } },
      { files: { a: `${line("before")}2\n` } },
      { message: 'Revert "x"', files: { b: line("machine") } },
      { files: { b: `${line("machine")}by hand\n` } },
      ...filler,
      { files: { c: line("before") } },
      { files: { d: line("machine") } },
      { files: { e: line("quite_new") } },
    ]);
    await write(repository, join(folder, "data"), { max_commits: 26, test_share: 0.12 });
    const asides = readFileSync(join(folder, "data/dropped.jsonl"), "utf8").trim().split("\n");
    assert.deepEqual(
      asides.map((text) => JSON.parse(text) as Dropped).map(({ path, reason }) => [path, reason]),
      [
        ["b", "revert"],
        ["c", "near-duplicate"],
        ["d", "near-duplicate"],
      ],
    );
  });
});

test("two runs give the same bytes, and every drop is listed", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), [...awkwardSteps, ...plainSteps]);
    const manifest = await write(repository, join(folder, "one"));
    await write(repository, join(folder, "two"));
    for (const name of [...Object.keys(manifest.sha256), "manifest.json"]) {
      const [one, two] = ["one", "two"].map((side) => readFileSync(join(folder, side, name), "utf8"));
      assert.equal(one, two, name);
    }
    const lines = readFileSync(join(folder, "one/dropped.jsonl"), "utf8").trim().split("\n");
    assert.equal(lines.length, manifest.counters["records"]! - manifest.counters["examples"]!);
  });
});

test("a run that is left early leaves no dataset", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), awkwardSteps);
    const paths = { repository, folder: join(folder, "data") };
    for await (const _ of writeDataset(paths, defaultsOf(historyOptions))) break;
    assert.ok(!existsSync(join(folder, "data/manifest.json")));
  });
});
