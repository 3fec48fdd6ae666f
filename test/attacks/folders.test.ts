// Attacks through folders: a git folder, objects or a work tree that are elsewhere, a workspace that the repository
// brings along, a repository of somebody else.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Example } from "../../src/dataset/example.ts";
import type { Entry } from "../../src/history/entry.ts";
import { openJournal } from "../../src/history/journal.ts";
import { heldOut } from "../history/cases.ts";
import { plainGit } from "../history/plain-git.ts";
import { readBack } from "../history/reading.ts";
import { makeRepository } from "../repository.ts";
import { run } from "../tiny.ts";
import { assertHarmless, configure, fire, readUnder, setTrap, type Trap } from "./trap.ts";

let trap: Trap;
before(async () => {
  trap = await setTrap();
});
after(() => trap.dispose());

/** A git folder that runs the program when git reads a diff or the index through it. */
function arm(repository: string): void {
  configure(repository, { "diff.evil.textconv": trap.program, "core.fsmonitor": trap.program });
}

async function assertFires(repository: string, ...args: string[]): Promise<void> {
  const { stderr } = await fire(trap, repository, args);
  assert.notDeepEqual(trap.sprung(), [], `git ${args.join(" ")} must fall into the trap: ${stderr}`);
}

test("a git folder behind a link", async () => {
  const repository = trap.repository();
  arm(repository);
  renameSync(join(repository, ".git"), join(repository, "hidden"));
  symlinkSync("hidden", join(repository, ".git"));
  assert.equal((await assertHarmless(trap, repository)).code, 0);
  await assertFires(repository, "log", "-p");
});

test("a file that says where the git folder is", async () => {
  const repository = trap.repository();
  arm(repository);
  renameSync(join(repository, ".git"), join(repository, "hidden"));
  writeFileSync(join(repository, ".git"), "gitdir: hidden\n");
  assert.equal((await assertHarmless(trap, repository)).code, 0);
  await assertFires(repository, "log", "-p");
  for (const nowhere of [
    "gitdir: /nonexistent\n",
    "gitdir: \n",
    "nonsense\n",
    `gitdir: ${"x/".repeat(5000)}\n`,
  ]) {
    writeFileSync(join(repository, ".git"), nowhere);
    const { code, stderr } = await assertHarmless(trap, repository);
    assert.deepEqual([code, /^Expected a git repository at /.test(stderr)], [1, true], stderr);
  }
});

test("a git folder whose common part is another", async () => {
  const repository = trap.repository();
  const other = join(repository, "other");
  await makeRepository(other, heldOut(6));
  configure(other, { "diff.external": trap.program });
  writeFileSync(join(repository, ".git/commondir"), "../other/.git\n");
  assert.equal((await assertHarmless(trap, repository)).code, 0);
  await assertFires(repository, "diff", "main~1", "main");
});

test("a bare repository hidden among the files", async () => {
  const repository = trap.repository();
  const inner = join(repository, "docs");
  await makeRepository(inner, heldOut(6), ["--bare"]);
  const setting = `[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = ..\n\tfsmonitor = ${trap.program}\n`;
  writeFileSync(join(inner, "config"), setting);
  assert.equal((await assertHarmless(trap, inner)).code, 0);
  await assertFires(inner, "status");
});

test("objects borrowed from a folder of the repository's choice, and from ones that are none", async () => {
  const repository = trap.repository();
  const info = join(repository, ".git/objects/info");
  mkdirSync(info, { recursive: true });
  for (const path of [
    trap.home,
    "/dev/null",
    "/proc/self",
    "../../../../../..",
    "\u0000",
    '"',
    "x".repeat(9000),
  ]) {
    writeFileSync(join(info, "alternates"), `${path}\n`);
    const { code, stderr } = await assertHarmless(trap, repository);
    assert.equal(code, 0, stderr);
  }
  // Folders that lend to each other for ever: git stops by itself.
  writeFileSync(join(info, "alternates"), `${join(repository, ".git/objects")}\n../objects\n`);
  assert.equal((await assertHarmless(trap, repository)).code, 0);
});

test("a repository of somebody else stays unread, though an explicit git folder would get past git's check", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs to give a folder to another user");
  const repository = trap.repository();
  arm(repository);
  for (const path of [repository, join(repository, ".git")]) chownSync(path, 12345, 12345);
  const { code, stderr } = await assertHarmless(trap, repository);
  assert.equal(code, 1);
  assert.match(stderr, /found one that git refuses; git says: .*safe\.directory/s);
  await assertFires(repository, "--git-dir=.git", "log", "-p");
});

test("a work tree that the configuration puts elsewhere: the dataset is not written there", async () => {
  const repository = trap.repository();
  const elsewhere = join(trap.home, "elsewhere");
  mkdirSync(elsewhere, { recursive: true });
  configure(repository, { "core.worktree": elsewhere });
  assert.equal(
    await plainGit(["rev-parse", "--show-toplevel"], { cwd: join(repository, ".git") }),
    `${elsewhere}\n`,
  );
  await readUnder(trap, [repository]);
  assert.deepEqual(readdirSync(elsewhere), []);
});

test("a workspace full of the repository's own files does not become the dataset", async () => {
  const repository = trap.repository();
  const folder = join(repository, ".codefudge/dataset");
  mkdirSync(folder, { recursive: true });
  for (const name of ["train.jsonl", "manifest.json", "dropped.jsonl", "journal"]) {
    writeFileSync(join(folder, name), '{"version":1,"examples":{"train":1,"validation":1,"test":1}}\n');
  }
  const { code, stderr } = await readUnder(trap, [repository]);
  assert.deepEqual(
    [code, /^Expected a new or empty folder at .*dataset, .*found/.test(stderr)],
    [1, true],
    stderr,
  );
});

/** A dataset folder whose journal has the right identity and an answer of the attacker's; examples by their messages. */
async function forge(repository: string, folder: string): Promise<void> {
  const { folder: honest } = await assertHarmless(trap, repository);
  const identity = readFileSync(join(honest, "journal"), "latin1").split("\n", 1)[0]!.split(" ").at(-1)!;
  const entries = [...openJournal(join(honest, "journal"), identity).read()].flat();
  const forged = entries.map((entry): Entry => {
    if (entry.type !== "line") return entry;
    const example = JSON.parse(Buffer.from(entry.line).toString()) as Example;
    return { ...entry, line: Buffer.from(`${JSON.stringify({ ...example, message: "Believed" })}\n`) };
  });
  mkdirSync(folder, { recursive: true });
  const journal = openJournal(join(folder, "journal"), identity);
  journal.append(forged);
  journal.close();
  writeFileSync(join(folder, "manifest.json"), readFileSync(join(honest, "manifest.json")));
}

test("a workspace of the checked-out commit, with a journal that would be believed, is refused by every command", async () => {
  const repository = trap.repository();
  const elsewhere = trap.output();
  await forge(repository, elsewhere);
  assert.equal((await readUnder(trap, [repository, "--output", elsewhere])).code, 0);
  const believed = readBack(elsewhere).examples.filter(({ message }) => message === "Believed");
  assert.ok(believed.length > 0, "in a folder of one's own the journal is believed");

  await forge(repository, join(repository, ".codefudge/dataset"));
  await plainGit(["add", "--force", ".codefudge"], { cwd: repository });
  const identity = ["-c", "user.name=A", "-c", "user.email=a@b"];
  await plainGit([...identity, "commit", "--quiet", "--message=Evil"], { cwd: repository });
  const before = trap.snapshot();
  const place = { cwd: join(repository, "notes") };
  const lines = [
    ...[["history"], ["history", "--explain", "HEAD"], ["history", "--output", "../.codefudge/dataset"]],
    ...[["cook"], ["train"], ["export"], ["runs"], ["evaluate"], ["merge"], ["forward"]],
    ["suggest", "-m", "Change it", "x"],
  ];
  for (const line of lines) {
    const { code, stderr } = await run([...line, "--quiet"], place);
    assert.deepEqual([line, code], [line, 1], stderr);
    assert.match(
      stderr,
      /^Expected nothing but what codefudge made at \S+, found files of the commit [^\n]*\n$/,
    );
  }
  assert.deepEqual(trap.snapshot(), before);
  assert.equal((await assertHarmless(trap, repository)).code, 0, "with another output folder it is read");
});

test("a list of what to ignore that is a link, a pipe or a folder is not followed and not waited for", async () => {
  for (const plant of [
    (path: string) => symlinkSync(join(trap.home, "private"), path),
    (path: string) => execFileSync("mkfifo", [path]),
    (path: string) => mkdirSync(path),
  ]) {
    const repository = trap.repository();
    writeFileSync(join(trap.home, "private"), "*\n");
    plant(join(repository, ".codefudgeignore"));
    const { code, stderr, folder } = await readUnlessLate(repository);
    if (code === 0) assert.ok(readBack(folder).examples.length > 0);
    else assert.match(stderr, /^Expected [^\n]*\.codefudgeignore, found [^\n]*\n$/);
  }
});

test("a workspace that the repository brings as a link to elsewhere: nothing is written there", async () => {
  for (const name of [".codefudge", ".codefudge/dataset"]) {
    const repository = trap.repository();
    const elsewhere = join(trap.home, "target");
    mkdirSync(elsewhere, { recursive: true });
    writeFileSync(join(elsewhere, "manifest.json"), "mine\n");
    mkdirSync(join(repository, name, ".."), { recursive: true });
    symlinkSync(elsewhere, join(repository, name));
    const { code, stderr } = await readUnder(trap, [repository]);
    assert.deepEqual(readdirSync(elsewhere), ["manifest.json"], name);
    assert.deepEqual([code, /^Expected .*, found .*link/.test(stderr)], [1, true], stderr);
    rmSync(elsewhere, { recursive: true });
  }
});

test("patterns and texts that would keep a matcher busy for ever do not", async () => {
  const repository = trap.repository();
  const pattern = `${"*a".repeat(30)}b`;
  const texts = [
    "a".repeat(200),
    "a/".repeat(60).concat("a"),
    "=",
    "key=",
    "A1b2",
    "https://a:",
    "-",
    "\t",
    '"',
    "{[(",
  ];
  const files = Object.fromEntries(
    texts.map((text, i) => [i < 2 ? text : `x${i}`, text.repeat(60_000 / text.length)]),
  );
  const inner = await makeRepository(join(repository, "inner"), [
    { files: { ...files, ".gitattributes": `${pattern} linguist-generated\n` } },
    ...heldOut(12),
  ]);
  writeFileSync(join(inner, ".codefudgeignore"), `${pattern}\n**/${"**/".repeat(30)}b\n`);
  const { code, stderr } = await readUnlessLate(inner);
  assert.equal(code, 0, stderr);
});

/** As `assertHarmless`, in a time that no wait for a pipe and no exponential search would keep. */
async function readUnlessLate(repository: string): ReturnType<typeof assertHarmless> {
  const late = new AbortController();
  const timer = sleep(20_000, undefined, { signal: late.signal, ref: false }).then(() =>
    assert.fail("too late"),
  );
  try {
    return await Promise.race([assertHarmless(trap, repository), timer]);
  } finally {
    late.abort();
    timer.catch(() => {});
  }
}
