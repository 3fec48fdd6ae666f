// Whether each record of a history ends as a true example or under its one reason, on repositories written here.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { awkwardNames, awkwardSteps } from "../../test/awkward.ts";
import { collect, git, makeRepository, withFolder } from "../../test/repository.ts";
import { UserError } from "../base/errors.ts";
import { defaultsOf } from "../base/options.ts";
import type { Example } from "../dataset/example.ts";
import { runGit } from "./git.ts";
import { type HarvestEvent, harvest } from "./harvest.ts";
import { historyOptions } from "./options.ts";
import { dropReasons } from "./reasons.ts";

function examplesOf(events: readonly HarvestEvent[]): Example[] {
  return events.flatMap((event) => (event.type === "example" ? [event.example] : []));
}

function dropsOf(events: readonly HarvestEvent[]): string[] {
  return events.flatMap((event) => (event.type === "dropped" ? [`${event.reason} ${event.path}`] : []));
}

/** Number of raw records by git's own count, without our flags or parser. */
async function countRecords(repository: string): Promise<number> {
  const text = await git(["log", "--branches", "--no-merges", "--raw", "--format="], { cwd: repository });
  return text.split("\n").filter((line) => line.startsWith(":")).length;
}

test("an awkward history: counters add up to git's records, and every reason is used as named", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), awkwardSteps);
    const { events, result } = await collect(repository);
    const dropped = dropReasons.reduce((sum, reason) => sum + (result.dropped[reason] ?? 0), 0);
    assert.equal(result.commits, awkwardSteps.length);
    assert.equal(result.merges, 1);
    assert.equal(result.records, await countRecords(repository));
    assert.equal(result.examples + dropped, result.records);
    assert.equal(result.examples, examplesOf(events).length);
    assert.deepEqual(dropsOf(events).sort(), [
      "binary image.bin",
      "binary image.bin",
      "mode-only tool.sh",
      "over-size big.txt",
      "over-size big.txt",
      "over-size huge.txt",
      "over-size huge.txt",
      "submodule module",
      "submodule module",
      "symlink link",
      "symlink link",
      "type-change to-link",
      "undecodable caf\uFFFD.txt",
      "undecodable caf\uFFFD.txt",
      "undecodable late.txt",
      "undecodable latin.txt",
      "undecodable latin.txt",
    ]);
    const commits = events.flatMap((event) => (event.type === "commit" ? [event.records] : []));
    assert.equal(commits.length, result.commits);
    assert.equal(events.length, result.commits + result.records);
  });
});

test("every kept diff, applied by git itself to the parent, gives the commit's blob", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), awkwardSteps);
    const { events } = await collect(repository);
    const examples = examplesOf(events);
    for (const name of awkwardNames) {
      assert.equal(examples.filter(({ path }) => path === name).length, 2, JSON.stringify(name));
    }
    for (const example of examples) {
      await git(["read-tree", example.parent ?? "--empty"], { cwd: repository });
      await git(["apply", "--cached", "--whitespace=nowarn"], { cwd: repository, input: example.diff });
      const to = /^rename to (.*)$/m.exec(example.diff)?.[1] ?? example.path;
      const [applied, wanted] = await Promise.all(
        ["", example.commit].map((tree) => runGit(["rev-parse", `${tree}:${to}`], { cwd: repository })),
      );
      assert.equal(applied!.exitCode, wanted!.exitCode, example.path);
      if (wanted!.exitCode === 0) assert.equal(applied!.stdout.toString(), wanted!.stdout.toString());
    }
  });
});

test("an example carries what the commit says, oldest first", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), [
      { message: "Add a file\n\nAnd say why.\n\n", files: { "a.txt": "one\n" } },
      { message: "Move it", files: { "a.txt": null, "b.txt": "one\n" } },
      { message: "Remove it", files: { "b.txt": null } },
    ]);
    const [first, moved, removed] = examplesOf((await collect(repository)).events);
    assert.deepEqual(
      { ...first, commit: "" },
      {
        message: "Add a file\n\nAnd say why.",
        path: "a.txt",
        old: null,
        diff: `diff --git a/a.txt b/a.txt
new file mode 100644
index 0000000000000000000000000000000000000000..5626abf0f72e58d7a153368ba57db4c673c0e171
--- /dev/null
+++ b/a.txt
@@ -0,0 +1 @@
+one
`,
        commit: "",
        parent: null,
        time: 1700000060,
        author: "Ada Example",
        weight: 1,
      },
    );
    assert.equal(moved?.parent, first?.commit);
    assert.deepEqual([moved?.path, moved?.old], ["a.txt", "one\n"]);
    assert.match(moved!.diff, /^similarity index 100%\nrename from a.txt\nrename to b.txt\n$/m);
    assert.deepEqual([removed?.path, removed?.old], ["b.txt", "one\n"]);
  });
});

test("a heading that git cut inside a character keeps its example", async () => {
  await withFolder(async (folder) => {
    const text = (value: string) => `x${"ü".repeat(60)}\n${" context\n".repeat(6)}${value}\n`;
    const steps = ["one", "two"].map((value) => ({ files: { "a.txt": text(value) } }));
    const repository = await makeRepository(join(folder, "r"), steps);
    const { events, result } = await collect(repository);
    assert.equal(result.examples, 2);
    assert.match(examplesOf(events)[1]!.diff, /^@@ -5,4 \+5,4 @@ xü+\n/m);
  });
});

test("limits: old contents and diffs above max_file_bytes are over-size, the newest max_commits are read", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), [
      { files: { "a.txt": "12345\n".repeat(20) } },
      { files: { "a.txt": `${"12345\n".repeat(20)}end\n` } },
      { files: { "b.txt": "small\n" } },
    ]);
    const exact = await collect(repository, { max_file_bytes: 400 });
    assert.deepEqual(dropsOf(exact.events), []);
    const tight = await collect(repository, { max_file_bytes: 250 });
    assert.deepEqual(dropsOf(tight.events), ["over-size a.txt"]);
    const newest = await collect(repository, { max_commits: 1 });
    assert.deepEqual([newest.result.commits, examplesOf(newest.events)[0]?.path], [1, "b.txt"]);
  });
});

test("nothing that a hostile repository names is run", async () => {
  await withFolder(async (folder) => {
    const canary = join(folder, "canary");
    const program = join(folder, "program.sh");
    writeFileSync(program, `#!/bin/sh\necho ran "$0" >> ${canary}\ncat "$1" 2>/dev/null\n`, { mode: 0o755 });
    const attributes = "* diff=evil filter=evil\n";
    const repository = await makeRepository(join(folder, "r"), [
      { files: { "a.txt": "one\n", ".gitattributes": attributes } },
      { files: { "a.txt": "two\n" } },
    ]);
    await plantPrograms(repository, program);
    await runGit(["log", "-p", "--ext-diff"], { cwd: repository });
    assert.ok(existsSync(canary), "the trap must work when git reads the repository directly");
    rmSync(canary);
    const { result } = await collect(repository);
    assert.equal(result.examples, 3);
    assert.ok(!existsSync(canary));
  });
});

async function plantPrograms(repository: string, program: string): Promise<void> {
  await git(["read-tree", "--reset", "-u", "HEAD"], { cwd: repository });
  const tree = (await git(["rev-parse", "HEAD^{tree}"], { cwd: repository })).trim();
  const parent = (await git(["rev-parse", "HEAD"], { cwd: repository })).trim();
  const stamp = "Ada Example <ada@example.invalid> 1700000500 +0000";
  const signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n";
  const input = `tree ${tree}\nparent ${parent}\nauthor ${stamp}\ncommitter ${stamp}\n${signature}\nSigned\n`;
  const signed = await git(["hash-object", "-t", "commit", "-w", "--stdin"], { cwd: repository, input });
  await git(["update-ref", "refs/heads/main", signed.trim()], { cwd: repository });
  const settings = {
    "core.fsmonitor": program,
    "core.pager": program,
    "core.sshCommand": program,
    "core.hooksPath": join(repository, ".git/hooks"),
    "core.attributesFile": join(repository, ".gitattributes"),
    "diff.external": program,
    "diff.evil.textconv": program,
    "diff.evil.command": program,
    "filter.evil.smudge": program,
    "filter.evil.clean": program,
    "gpg.program": program,
    "log.showSignature": "true",
    "pager.log": program,
    "alias.log": `!${program}`,
  };
  for (const [name, value] of Object.entries(settings))
    await git(["config", name, value], { cwd: repository });
  mkdirSync(join(repository, ".git/hooks"), { recursive: true });
  for (const hook of ["post-index-change", "reference-transaction", "post-checkout"]) {
    writeFileSync(join(repository, ".git/hooks", hook), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  }
}

test("leaving early and aborting end git and remove the temporary folder", async () => {
  await withFolder(async (folder) => {
    const steps = Array.from({ length: 300 }, (_, i) => ({ files: { "a.txt": `${i}\n` } }));
    const repository = await makeRepository(join(folder, "r"), steps);
    const before = process.env.TMPDIR;
    process.env.TMPDIR = folder;
    try {
      for await (const event of harvest(repository, defaultsOf(historyOptions))) {
        if (event.type === "example") break;
      }
      const abort = new AbortController();
      await assert.rejects(
        async () => {
          for await (const _ of harvest(repository, defaultsOf(historyOptions), abort.signal)) abort.abort();
        },
        { name: "AbortError" },
      );
      assert.deepEqual(readdirSync(folder), ["r"]);
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
  });
});

test("a damaged repository is an error that says so", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), [
      { files: { "a.txt": "one\n" } },
      { files: { "a.txt": "two\n" } },
    ]);
    const blob = (await git(["rev-parse", "HEAD~:a.txt"], { cwd: repository })).trim();
    rmSync(join(repository, ".git/objects", blob.slice(0, 2), blob.slice(2)));
    await assert.rejects(collect(repository), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /git fsck/);
      return true;
    });
  });
});
