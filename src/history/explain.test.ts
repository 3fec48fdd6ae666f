// Whether every record of a history is explained by what stands in its dataset, and what is said of the rest.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { awkwardSteps } from "../../test/awkward.ts";
import { git, makeRepository, type Step, withFolder } from "../../test/repository.ts";
import { defaultsOf } from "../base/options.ts";
import { type Explanation, explain } from "./explain.ts";
import { type HistoryOptions, historyOptions } from "./options.ts";
import { writeDataset } from "./write.ts";

const steps: readonly Step[] = [
  ...awkwardSteps,
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((i): Step => ({ files: { "plain.txt": `${i} of eight\n` } })),
];

async function write(paths: { repository: string; folder: string }, options: Partial<HistoryOptions> = {}) {
  for await (const _ of writeDataset(paths, { ...defaultsOf(historyOptions), ...options }));
}

test("every record of every commit has one fate, and the line that is named is its own", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const paths = { repository, folder: join(folder, "data") };
    await write(paths);
    const commits = (await git(["rev-list", "--branches"], { cwd: repository })).trim().split("\n");
    const lines = new Set<string>();
    let dropped = 0;
    for (const commit of commits) {
      for (const { path, fate } of (await explain(paths, commit)).records) {
        assert.ok(fate !== null, `${commit} ${path}`);
        if ("reason" in fate) dropped++;
        else {
          const place = `${fate.split}.jsonl`;
          const text = readFileSync(join(paths.folder, place), "utf8").split("\n")[fate.line - 1]!;
          const example = JSON.parse(text) as { commit: string; path: string };
          assert.deepEqual([example.commit, example.path], [commit, path]);
          lines.add(`${place}:${fate.line}`);
        }
      }
    }
    const manifest = JSON.parse(readFileSync(join(paths.folder, "manifest.json"), "utf8"));
    assert.equal(lines.size, manifest.counters.examples);
    assert.equal(dropped + lines.size, manifest.counters.records);
  });
});

const fateOf = ({ records }: Explanation) => records.map(({ fate }) => fate);

test("a file is named with the commit, before or after a rename; merges and what was not read are said", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const paths = { repository, folder: join(folder, "data") };
    await write(paths);
    const third = (await git(["rev-list", "--reverse", "main"], { cwd: repository })).split("\n")[2]!;
    assert.deepEqual(fateOf(await explain(paths, `${third}:link`)), [{ reason: "symlink" }]);
    const [before, after] = await Promise.all(
      ["moved-edited.txt", "deep/edited.txt"].map((path) => explain(paths, `${third.slice(0, 10)}:${path}`)),
    );
    assert.equal(before!.records[0]?.newPath, "deep/edited.txt");
    assert.deepEqual(before, after);
    const pathsOf = async (target: string) => (await explain(paths, target)).records.map(({ path }) => path);
    assert.deepEqual(await pathsOf(`${third}:./deep/`), ["moved-edited.txt", "moved.txt"]);
    assert.deepEqual(await pathsOf(`${third}:`), await pathsOf(third));
    const root = (await git(["rev-list", "--reverse", "main"], { cwd: repository })).split("\n")[0]!;
    assert.deepEqual(await pathsOf(`${root}:"tab\\there"`), ["tab\there"]);
    const merge = (await git(["rev-list", "--merges", "main"], { cwd: repository })).trim();
    assert.match((await explain(paths, merge)).note!, /^It is a merge/);
    await assert.rejects(explain(paths, "nothing"), /^UserError: Expected a commit of .*, found "nothing"/);
    await assert.rejects(explain(paths, "main:none.txt"), /changes, found "none.txt"; it changes plain.txt$/);
    await assert.rejects(explain({ repository, folder }, "main"), /run codefudge history/);
    await write(paths, { max_commits: 5 });
    assert.match((await explain(paths, third)).note!, /outside the range/);
    await git(["update-ref", "refs/heads/main", "main~1"], { cwd: repository });
    const gone = (await git(["rev-parse", "main"], { cwd: repository })).trim();
    await git(["update-ref", "refs/heads/main", "main~1"], { cwd: repository });
    assert.match((await explain(paths, gone)).note!, /no branch or tag leads to it/);
  });
});
