// Whether a dataset is the same however often its reading was stopped, and whatever was read before.

import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { awkwardSteps } from "../../test/awkward.ts";
import { git, makeRepository, type Step, withFolder } from "../../test/repository.ts";
import { defaultsOf } from "../base/options.ts";
import type { DatasetManifest } from "../dataset/store.ts";
import { journalPath } from "./journal.ts";
import { type HistoryOptions, historyOptions } from "./options.ts";
import { createSample } from "./sample.ts";
import { writeDataset } from "./write.ts";

type Written = { readonly manifest: DatasetManifest; readonly notices: readonly string[] };

async function write(
  repository: string,
  folder: string,
  options: Partial<HistoryOptions> = {},
): Promise<Written> {
  const source = writeDataset({ repository, folder }, { ...defaultsOf(historyOptions), ...options });
  const notices: string[] = [];
  for (;;) {
    const next = await source.next();
    if (next.done) return { manifest: next.value, notices };
    if (next.value.type === "notice") notices.push(next.value.text);
  }
}

/** Every file of two datasets but the journal, byte for byte. */
function assertSame(one: string, two: string): void {
  const names = readdirSync(two).filter((name) => name !== "journal");
  assert.deepEqual(
    readdirSync(one).filter((name) => name !== "journal"),
    names,
  );
  for (const name of names) {
    assert.equal(readFileSync(join(one, name), "utf8"), readFileSync(join(two, name), "utf8"), name);
  }
}

const plain = (i: number): Step => ({
  files: { "plain.txt": `${i}\n`, [`${i}.txt`]: `${"line\n".repeat(i)}` },
});
/** Everything awkward, a line of plain commits, and a branch that begins and ends among them in time. */
const steps: readonly Step[] = [
  ...awkwardSteps,
  ...[1, 2, 3, 4, 5, 6, 7, 8].map(plain),
  ...[1, 2, 3].map((i): Step => {
    const from = i === 1 ? { from: awkwardSteps.length + 1 } : {};
    const time = 1700000000 + (awkwardSteps.length + i + 1) * 60 + 7;
    return { files: { "late.txt": `${i}\n` }, branch: "late", time, ...from };
  }),
];

test("a run after new commits gives what a run of all gives, wherever in the order they belong", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const [full, grown] = [join(folder, "full"), join(folder, "grown")];
    const late = (await git(["rev-parse", "late"], { cwd: repository })).trim();
    const main = (await git(["rev-parse", "main"], { cwd: repository })).trim();
    await git(["update-ref", "-d", "refs/heads/late"], { cwd: repository });
    for (const back of [6, 5, 1, 0]) {
      await git(["update-ref", "refs/heads/main", `${main}~${back}`], { cwd: repository });
      await write(repository, grown);
    }
    await git(["update-ref", "refs/heads/late", late], { cwd: repository });
    const { notices } = await write(repository, grown);
    assert.deepEqual(notices, []);
    await write(repository, full);
    assertSame(grown, full);
    assert.ok(readFileSync(journalPath(grown)).equals(readFileSync(journalPath(full))));
    await write(repository, grown);
    assertSame(grown, full);
  });
});

test("a history that was rewritten is noticed in one sentence, and nothing of it stays", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const [full, again] = [join(folder, "full"), join(folder, "again")];
    await write(repository, again);
    await git(["update-ref", "refs/heads/main", "main~2"], { cwd: repository });
    const { notices } = await write(repository, again);
    assert.match(notices.join(), /^The history was rewritten: 2 commits that were read before/);
    await write(repository, full);
    assertSame(again, full);
    assert.deepEqual((await write(repository, again)).notices, []);
  });
});

test("a journal that ends anywhere, or is none, costs time and nothing else", async () => {
  await withFolder(async (folder) => {
    const repository = join(folder, "r");
    await createSample(repository, { commits: 60 });
    const [full, broken] = [join(folder, "full"), join(folder, "broken")];
    await write(repository, full);
    cpSync(full, broken, { recursive: true });
    const { size } = statSync(journalPath(full));
    for (const length of [size - 1, Math.floor(size / 2), 100, 10, 0]) {
      truncateSync(journalPath(broken), length);
      await write(repository, broken);
      assertSame(broken, full);
    }
    for (const [at, text] of [
      [200, "damaged"],
      [0, "something else"],
    ] as const) {
      const bytes = readFileSync(journalPath(full));
      bytes.write(text, at);
      writeFileSync(journalPath(broken), bytes);
      await write(repository, broken);
      assertSame(broken, full);
    }
  });
});

test("a run that was stopped goes on, and keeps whole commits only", async () => {
  await withFolder(async (folder) => {
    const repository = join(folder, "r");
    await createSample(repository, { commits: 300 });
    const [full, stopped] = [join(folder, "full"), join(folder, "stopped")];
    await write(repository, full);
    const paths = { repository, folder: stopped };
    for await (const event of writeDataset(paths, defaultsOf(historyOptions))) {
      if (event.type === "progress" && event.commits > 0) break;
    }
    const held = statSync(journalPath(stopped)).size;
    assert.ok(held > 1000 && held < statSync(journalPath(full)).size, `${held} bytes`);
    assert.deepEqual(readdirSync(stopped), ["journal"]);
    await write(repository, stopped);
    assertSame(stopped, full);
  });
});

test("a choice of commits goes with the same journal, another option begins it anew", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const [fresh, used] = [join(folder, "fresh"), join(folder, "used")];
    const choices: readonly Partial<HistoryOptions>[] = [
      { max_commits: 12 },
      {},
      { since: "2023-11-14T22:15:00Z" },
      { max_commits: 6, test_share: 0.3 },
      { max_file_bytes: 300 },
      { exclude: ["*.sql"] },
      {},
    ];
    for (const options of choices) {
      await write(repository, used, options);
      rmSync(fresh, { recursive: true, force: true });
      await write(repository, fresh, options);
      assertSame(used, fresh);
    }
  });
});
