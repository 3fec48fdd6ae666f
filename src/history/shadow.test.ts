// Which repositories can be read, what is said of those that cannot, and that their own settings have no say.

import assert from "node:assert/strict";
import { chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { collect, git, makeRepository, type Step, withFolder } from "../../test/repository.ts";
import { UserError } from "../base/errors.ts";
import { defaultsOf } from "../base/options.ts";
import { runGit } from "./git.ts";
import { historyOptions } from "./options.ts";
import { openShadow } from "./shadow.ts";
import { writeDataset } from "./write.ts";

const steps: readonly Step[] = ["one", "two", "three"].map((text) => ({ files: { "a.txt": `${text}\n` } }));

async function refusal(repository: string): Promise<string> {
  const error = await openShadow(repository).then(
    () => assert.fail("expected a refusal"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof UserError, String(error));
  return error.message;
}

test("what is no repository, or has no commits, is refused in one sentence that says what to do", async () => {
  await withFolder(async (folder) => {
    assert.match(await refusal(join(folder, "none")), /^Expected .*, found no such folder; check the path$/);
    assert.match(await refusal(folder), /^Expected .*, found a folder without one; .*git init/);
    const empty = await makeRepository(join(folder, "empty"), []);
    assert.match(
      await refusal(empty),
      /^Expected commits in .*, found an empty repository; commit something/,
    );
    assert.deepEqual(readdirSync(folder), ["empty"], "no shadow is left behind");
  });
});

test("a repository that git refuses for its owner stays refused, with git's advice", async (t) => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    assert.equal((await runGit(["log"], { cwd: repository })).exitCode, 0);
    if (process.getuid?.() !== 0) return t.skip("needs to give a folder to another user");
    for (const path of ["", ".git"]) chownSync(join(repository, path), 12345, 12345);
    assert.match(await refusal(repository), /found one that git refuses; git says: .*safe\.directory/s);
  });
});

test("bare repositories, work trees, sub-folders and detached heads give the same history", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const wanted = (await collect(repository)).events;
    await makeRepository(join(folder, "bare"), steps, ["--bare"]);
    await git(["worktree", "add", "--quiet", "--detach", join(folder, "tree"), "HEAD"], { cwd: repository });
    mkdirSync(join(repository, "sub"));
    for (const path of [join(folder, "bare"), join(folder, "tree"), join(repository, "sub")]) {
      assert.deepEqual((await collect(path)).events, wanted, path);
    }
  });
});

test("a commit that only the detached head names is read", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const head = (await git(["rev-parse", "HEAD"], { cwd: repository })).trim();
    await git(["update-ref", "--no-deref", "HEAD", head], { cwd: repository });
    await git(["update-ref", "refs/heads/main", `${head}~2`], { cwd: repository });
    writeFileSync(join(repository, ".git/HEAD"), `${head}\n`);
    assert.equal((await collect(repository)).result.commits, 3);
  });
});

test("sha256 repositories are read", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps, ["--object-format=sha256"]);
    const { result, events } = await collect(repository);
    assert.equal(result.examples, 3);
    assert.ok(events.every((event) => event.type !== "example" || event.example.commit.length === 64));
  });
});

test("the edge of a shallow clone is counted, not learned as a creation", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const edge = (await git(["rev-parse", "HEAD~1"], { cwd: repository })).trim();
    writeFileSync(join(repository, ".git/shallow"), `${edge}\n`);
    const { result, events } = await collect(repository);
    assert.deepEqual([result.commits, result.examples, result.dropped["shallow-boundary"]], [2, 1, 1]);
    const kept = events.flatMap((event) => (event.type === "example" ? [event.example.old] : []));
    assert.deepEqual(kept, ["two\n"]);
  });
});

test("a partial clone with contents missing is refused; one that has all is read", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const pack = join(repository, ".git/objects/pack");
    mkdirSync(pack, { recursive: true });
    writeFileSync(join(pack, "pack-1.promisor"), "");
    assert.equal((await collect(repository)).result.examples, 3);
    const blob = (await git(["rev-parse", "HEAD~1:a.txt"], { cwd: repository })).trim();
    rmSync(join(repository, ".git/objects", blob.slice(0, 2), blob.slice(2)));
    const lacks = /found a partial one that lacks 1 contents; run "git fetch --refetch/;
    await assert.rejects(collect(repository), lacks);
    const folderOf = { repository, folder: join(folder, "dataset") };
    const events = writeDataset(folderOf, defaultsOf(historyOptions));
    await assert.rejects(async () => {
      for await (const _ of events);
    }, lacks);
  });
});

test("grafts, replace refs, stashes, notes and attributes have no say", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const wanted = (await collect(repository)).events;
    const [head, root] = await Promise.all(
      ["HEAD", "HEAD~2"].map(async (name) => (await git(["rev-parse", name], { cwd: repository })).trim()),
    );
    mkdirSync(join(repository, ".git/info"), { recursive: true });
    writeFileSync(join(repository, ".git/info/grafts"), `${head}\n`);
    writeFileSync(join(repository, ".git/info/attributes"), "*.txt -diff\n");
    writeFileSync(join(repository, ".gitattributes"), "*.txt binary\n");
    await git(["update-ref", `refs/replace/${head}`, root!], { cwd: repository });
    await git(["update-ref", "refs/stash", root!], { cwd: repository });
    assert.deepEqual((await collect(repository)).events, wanted);
  });
});

test("file addresses are not fetched from", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), steps);
    const { exitCode } = await runGit(["ls-remote", pathToFileURL(repository).href]);
    assert.notEqual(exitCode, 0);
  });
});
