// Whether the order is one that git's walk and later commits cannot change, and whether a selection reads what git
// lists for the same commits.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { collect, git, makeRepository, type Step, withFolder } from "../../test/repository.ts";
import { defaultsOf } from "../base/options.ts";
import { createRandom } from "../base/random.ts";
import { type HistoryOptions, historyOptions, selectionOf } from "./options.ts";
import { type LinkedCommit, listCommits, sortCommits } from "./order.ts";
import { openShadow } from "./shadow.ts";

/** A history of `count` commits with wrong clocks and up to three parents, parents first. */
function makeHistory(seed: number, count: number): LinkedCommit[] {
  const random = createRandom(seed);
  const commits: LinkedCommit[] = [];
  for (let i = 0; i < count; i++) {
    const wanted = i === 0 ? 0 : random.below(4);
    const parents = new Set(Array.from({ length: wanted }, () => commits[random.below(i)]!.hash));
    const hash = random
      .below(2 ** 32)
      .toString(16)
      .padStart(40, "0");
    commits.push({ hash, parents: [...parents], time: 1000 + random.below(60) });
  }
  return commits;
}

const hashes = (commits: readonly { readonly hash: string }[]) => commits.map(({ hash }) => hash);

test("parents come first, and neither the order of the walk nor later commits change the order", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const history = makeHistory(seed, 120);
    const sorted = hashes(sortCommits(history));
    const place = new Map(sorted.map((hash, i) => [hash, i]));
    for (const { hash, parents } of history)
      for (const parent of parents) assert.ok(place.get(parent)! < place.get(hash)!);
    // Another walk that shows parents first.
    const byHash = new Map(history.map((commit) => [commit.hash, commit]));
    assert.deepEqual(hashes(sortCommits(sorted.map((hash) => byHash.get(hash)!))), sorted);
    // What was there before the last half of the commits stands as it stood.
    const older = new Set(hashes(history.slice(0, 60)));
    const before = hashes(sortCommits(history.slice(0, 60)));
    assert.deepEqual(
      sorted.filter((hash) => older.has(hash)),
      before,
    );
  }
});

test("where clocks are right, the order is that of time; at the same second, children follow parents", () => {
  const commits: LinkedCommit[] = [
    { hash: "c", parents: [], time: 5 },
    { hash: "b", parents: ["c"], time: 5 },
    { hash: "z", parents: [], time: 2 },
    { hash: "a", parents: ["b", "z"], time: 3 },
    { hash: "d", parents: ["z"], time: 4 },
  ];
  assert.deepEqual(hashes(sortCommits(commits)), ["z", "d", "c", "b", "a"]);
});

const change = (i: number) => ({ [`${i}.txt`]: `${i}\n`, "all.txt": `${i}\n` });

/** A main line, a side branch with two commits that is merged, and a branch that is not; days apart. */
const DAY = 86400;
const START = Date.parse("2024-01-01T00:00Z") / 1000;
const day = (number: number) => START + (number - 1) * DAY;
const branched: readonly Step[] = [
  { files: change(1), time: day(1) },
  { files: change(2), time: day(2) },
  { files: { "side.txt": "a\n" }, branch: "side", from: 1, time: day(3) },
  { files: { "side.txt": "b\n" }, branch: "side", time: day(4) },
  { files: { "side.txt": "b\n", "merged.txt": "m\n" }, from: 2, merge: 4, time: day(5) },
  { files: change(6), time: day(6) },
  { files: { "other.txt": "o\n" }, branch: "other", from: 2, time: day(7) },
];

async function countRecords(repository: string, args: readonly string[]): Promise<number> {
  const text = await git(["log", "--raw", "--format=", ...args], { cwd: repository });
  return text.split("\n").filter((line) => line.startsWith(":")).length;
}

const selections: readonly [Partial<HistoryOptions>, readonly string[], number][] = [
  [{}, ["--branches", "--no-merges"], 7],
  [{ merges: "first-parent" }, ["HEAD", "--first-parent", "--diff-merges=first-parent"], 4],
  [{ max_commits: 3 }, ["--branches", "--no-merges", "-n3"], 3],
  [{ since: "2024-01-04" }, ["--branches", "--no-merges", `--since=${day(4)}`], 4],
  [{ until: "2024-01-04" }, ["--branches", "--no-merges", `--until=${day(5) - 1}`], 4],
  [{ since: "2024-01-03T00:00:00Z", until: "2024-01-03T00:00Z" }, ["side~1", "-1"], 1],
  [{ since: "2024-01-04", merges: "first-parent" }, ["HEAD", "-2", "--first-parent", "-m"], 2],
  [{ since: "2024-01-04", max_commits: 1 }, ["other", "-1"], 1],
];

test("every selection has the records that git lists for the same commits, none twice", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), branched);
    for (const [options, args, commits] of selections) {
      const { result, events } = await collect(repository, options);
      const name = JSON.stringify(options);
      // -n3 of git takes merges for none, ours counts them: here the third newest is a merge without records.
      const wanted = options.max_commits === 3 ? 3 : await countRecords(repository, args);
      assert.equal(result.records, wanted, name);
      assert.equal(result.commits, commits, name);
      const dropped = Object.values(result.dropped).reduce((sum, count) => sum + count, 0);
      assert.equal(result.examples + dropped, result.records, name);
      const ids = events.flatMap((event) => (event.type === "commit" ? [event.commit] : []));
      assert.equal(new Set(ids).size, commits, name);
    }
  });
});

test("a merge read by its first parent is one example for each file that it brought", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), branched);
    const { events, result } = await collect(repository, { merges: "first-parent" });
    const merge = (await git(["rev-parse", "HEAD~1"], { cwd: repository })).trim();
    const paths = events.flatMap((event) =>
      event.type === "example" && event.example.commit === merge ? [event.example.path] : [],
    );
    assert.deepEqual([result.merges, ...paths], [1, "merged.txt", "side.txt"]);
  });
});

test("a date that is none, and a first parent that nobody has, are said", async () => {
  const selection = (options: Partial<HistoryOptions>) => () =>
    selectionOf({ ...defaultsOf(historyOptions), ...options });
  for (const since of ["yesterday", "2024-02-30", "2024-1-1", "2024-01-01T25:00Z", ""]) {
    assert.throws(selection({ since }), /^UsageError: Expected a date such as .* for --since, found/, since);
  }
  assert.equal(selection({ until: "2024-01-31T12:00:01+02:00" })().until, 1706695201);
  const day = selection({ since: "2024-01-31", until: "2024-01-31" })();
  assert.equal(day.until! - day.since!, 86_399);
  assert.throws(
    selection({ since: "2024-02-01", until: "2024-01-31" }),
    /^UsageError: Expected a date for --since .*, found --since 2024-02-01 --until 2024-01-31; exchange them$/,
  );
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), branched);
    await git(["symbolic-ref", "HEAD", "refs/heads/unborn"], { cwd: repository });
    const shadow = await openShadow(repository);
    try {
      await assert.rejects(
        listCommits(shadow, selection({ merges: "first-parent" })()),
        /^UserError: Expected a branch with commits to be checked out/,
      );
    } finally {
      shadow.dispose();
    }
  });
});
