// Whether the same history gives the same dataset, byte for byte, wherever and however a repository keeps it: bare,
// packed, borrowed, linked, with a detached head, with grafts and replace refs, or cut off.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { makeRepository, type Step } from "../repository.ts";
import { heldOut } from "./cases.ts";
import { commitBytes, writeObjects } from "./objects.ts";
import { recordsOf } from "./oracle.ts";
import { plainGit, tryGit } from "./plain-git.ts";
import { type Reading, readHistory, refusalOf } from "./reading.ts";
import { makeTemporary, type Temporary } from "./temporary.ts";

const steps: readonly Step[] = [
  { message: "First", files: { "a.txt": "one\n" } },
  { message: "Second", files: { "a.txt": "two\n", "b.txt": "b\n" } },
  ...heldOut(30),
];

let here: Temporary;
let origin = "";
let wanted: Reading;

before(async () => {
  here = makeTemporary();
  origin = await makeRepository(join(here.folder, "origin"), steps);
  // A few files to copy instead of hundreds.
  await plainGit(["repack", "-adq"], { cwd: origin });
  wanted = await readHistory(origin, join(here.folder, "wanted"));
  assert.equal(wanted.examples.length, steps.length + 1);
});

after(() => here.dispose());

/** A copy of the repository to change. */
function copy(name: string): string {
  const path = join(here.folder, name);
  cpSync(origin, path, { recursive: true });
  return path;
}

async function read(path: string): Promise<Reading> {
  const folder = here.fresh();
  return readHistory(path, folder);
}

/** The dataset's files have the bytes of the plain repository's. */
async function assertSame(path: string): Promise<void> {
  assert.deepEqual((await read(path)).manifest.sha256, wanted.manifest.sha256);
}

function idOf(repository: string, name: string): Promise<string> {
  return plainGit(["rev-parse", name], { cwd: repository }).then((text) => text.trim());
}

describe("the same bytes from", () => {
  test("a bare repository", async () => {
    const path = join(here.folder, "bare.git");
    await plainGit(["clone", "--quiet", "--bare", origin, path], { cwd: here.folder });
    await assertSame(path);
  });

  test("objects in packs with a commit-graph and an index over packs, refs in one file", async () => {
    const path = copy("packed");
    const run = (...args: string[]) => plainGit(args, { cwd: path });
    await run("repack", "-adq");
    await run("pack-refs", "--all");
    await run("commit-graph", "write", "--reachable");
    await run("multi-pack-index", "write");
    await assertSame(path);
  });

  test("a commit-graph that is damaged", async () => {
    const path = copy("graph");
    mkdirSync(join(path, ".git/objects/info"), { recursive: true });
    writeFileSync(join(path, ".git/objects/info/commit-graph"), "CGPH and then nonsense");
    assert.notEqual((await tryGit(["log", "--oneline"], { cwd: path })).stderr, "", "git notices");
    await assertSame(path);
  });

  test("loose objects and loose refs", async () => {
    const path = await makeRepository(join(here.folder, "loose"), []);
    const pack = await readPack();
    await plainGit(["unpack-objects", "-q"], { cwd: path, input: pack });
    await plainGit(["update-ref", "refs/heads/main", await idOf(origin, "main")], { cwd: path });
    await assertSame(path);
  });

  test("objects borrowed from another repository", async () => {
    const path = join(here.folder, "borrower");
    await plainGit(["clone", "--quiet", "--shared", "--bare", origin, path], { cwd: here.folder });
    await assertSame(path);
  });

  test("a linked work tree, a folder in it, and a work tree whose git folder is elsewhere", async () => {
    const path = copy("linked");
    const tree = join(here.folder, "tree");
    await plainGit(["worktree", "add", "--quiet", "--detach", tree, "HEAD"], { cwd: path });
    await assertSame(tree);
    await assertSame(join(tree, "notes"));
    const moved = copy("moved");
    renameSync(join(moved, ".git"), join(here.folder, "moved.git"));
    writeFileSync(join(moved, ".git"), "gitdir: ../moved.git\n");
    await assertSame(moved);
  });

  test("a git folder behind a symbolic link", async () => {
    const path = copy("symlink");
    renameSync(join(path, ".git"), join(here.folder, "symlink.git"));
    symlinkSync("../symlink.git", join(path, ".git"));
    await assertSame(path);
  });

  test("a repository with a head that is detached, on nothing, or on a branch that is not there", async () => {
    const path = copy("heads");
    const tip = await idOf(path, "main");
    writeFileSync(join(path, ".git/HEAD"), `${tip}\n`);
    await assertSame(path);
    writeFileSync(join(path, ".git/HEAD"), "ref: refs/heads/nowhere\n");
    await assertSame(path);
    await plainGit(["update-ref", "-d", "refs/heads/main"], { cwd: path });
    writeFileSync(join(path, ".git/HEAD"), `${tip}\n`);
    await assertSame(path);
  });

  test("a repository whose commits only remote branches, or only tags, name", async () => {
    const remote = copy("remote");
    const tip = await idOf(remote, "main");
    const run = (...args: string[]) => plainGit(args, { cwd: remote });
    await run("update-ref", "refs/remotes/origin/main", tip);
    await run("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main");
    await run("update-ref", "-d", "refs/heads/main");
    await assertSame(remote);
    await run("update-ref", "-d", "refs/remotes/origin/main");
    await plainGit(["-c", "user.name=A", "-c", "user.email=a@b", "tag", "-a", "-m", "x", "v1", tip], {
      cwd: remote,
    });
    await plainGit(["tag", "of-a-file", `${tip}:a.txt`], { cwd: remote });
    await plainGit(["tag", "of-a-tree", `${tip}^{tree}`], { cwd: remote });
    await assertSame(remote);
  });

  test("a repository with refs of other kinds and with odd names", async () => {
    const path = copy("refs");
    const [root] = await writeObjects(path, "commit", [
      commitBytes(await idOf(path, "main^{tree}"), "Elsewhere"),
    ]);
    const others = [
      "stash",
      "notes/commits",
      "pull/1/head",
      "replace/x",
      "original/refs/heads/main",
      "bisect/bad",
    ];
    for (const name of others) await plainGit(["update-ref", `refs/${name}`, root!], { cwd: path });
    const tip = await idOf(path, "main");
    for (const name of ["HEAD", "-x", "--all", "ü", "a'b", '"', "refs/heads/main"]) {
      await plainGit(["update-ref", `refs/heads/${name}`, tip], { cwd: path });
    }
    await assertSame(path);
  });

  test("a repository with grafts and replace refs", async () => {
    const path = copy("replaced");
    const [tip, root, other] = [
      await idOf(path, "main"),
      await idOf(path, "main~20"),
      await idOf(path, "main~5"),
    ];
    mkdirSync(join(path, ".git/info"), { recursive: true });
    writeFileSync(join(path, ".git/info/grafts"), `${tip}\n`);
    await plainGit(["update-ref", `refs/replace/${other}`, root], { cwd: path });
    const seen = await plainGit(["log", "--format=%H"], { cwd: path });
    assert.notEqual(seen.trim().split("\n").length, steps.length, "git itself sees another history");
    await assertSame(path);
  });
});

async function readPack(): Promise<Buffer> {
  const { stdout } = await tryGit(["pack-objects", "--all", "--stdout", "-q"], { cwd: origin, input: "" });
  return stdout;
}

describe("a history of its own from", () => {
  test("a repository of sha256, with the same counters", async () => {
    const path = await makeRepository(join(here.folder, "sha256"), steps, ["--object-format=sha256"]);
    const { examples, manifest } = await read(path);
    assert.deepEqual(manifest.counters, wanted.manifest.counters);
    assert.ok(examples.every(({ commit }) => commit.length === 64));
    const bare = ({ message, old, path: name, time }: Reading["examples"][number]) => ({
      message,
      old,
      name,
      time,
    });
    assert.deepEqual(examples.map(bare), wanted.examples.map(bare));
  });

  test("a shallow clone: the edge is counted and not learned", async () => {
    const path = join(here.folder, "shallow");
    const url = pathToFileURL(origin).href;
    await plainGit(["clone", "--quiet", "--depth=12", url, path], { cwd: here.folder });
    const { examples, dropped, manifest } = await read(path);
    assert.equal(manifest.counters["commits"], 12);
    assert.equal(manifest.counters["records"], (await recordsOf(path)).length);
    assert.deepEqual([...new Set(dropped.map(({ reason }) => reason))], ["shallow-boundary"]);
    const edge = new Set(dropped.map(({ commit }) => commit));
    assert.equal(edge.size, 1);
    assert.equal(examples.length, 11);
  });

  test("a partial clone that lacks contents, or trees: refused, and nothing is fetched", async () => {
    await plainGit(["config", "uploadpack.allowFilter", "true"], { cwd: origin });
    for (const filter of ["blob:none", "tree:0"]) {
      const path = join(here.folder, `partial-${filter.slice(0, 4)}`);
      const flags = ["--quiet", "--bare", `--filter=${filter}`];
      await plainGit(["clone", ...flags, pathToFileURL(origin).href, path], { cwd: here.folder });
      const missing = () => plainGit(["rev-list", "--objects", "--all", "--missing=print"], { cwd: path });
      const before = await missing();
      assert.match(before, /^\?/m);
      assert.match(
        await refusalOf(path, here.fresh()),
        /found a partial one that lacks .*git fetch --refetch/,
      );
      assert.equal(await missing(), before);
    }
  });

  test("a partial clone that has everything by now", async () => {
    const path = join(here.folder, "partial-full");
    const flags = ["--quiet", "--bare", "--filter=blob:none"];
    await plainGit(["clone", ...flags, pathToFileURL(origin).href, path], { cwd: here.folder });
    await plainGit(["log", "-p"], { cwd: path });
    await assertSame(path);
  });

  test("a repository with broken refs, and one with a missing commit: said in one sentence, or read", async () => {
    const path = copy("broken");
    writeFileSync(join(path, ".git/refs/heads/bad"), "not an id\n");
    await assertSaidOrSame(path);
    rmSync(join(path, ".git/refs/heads/bad"));
    const [orphan] = await writeObjects(path, "commit", [
      commitBytes(await idOf(path, "main^{tree}"), "Parent gone", ["1".repeat(40)]),
    ]);
    await plainGit(["update-ref", "refs/heads/orphan", orphan!], { cwd: path });
    assert.match(await refusalOf(path, here.fresh()), /git fsck/);
  });
});

async function assertSaidOrSame(path: string): Promise<void> {
  const folder = here.fresh();
  const reading = await readHistory(path, folder).catch(() => undefined);
  if (reading === undefined) await refusalOf(path, here.fresh());
  else assert.deepEqual(reading.manifest.sha256, wanted.manifest.sha256);
}
