// Attacks through what stands in the objects themselves: names that lead out of a folder, trees and texts that are far
// larger than the bytes that carry them, objects that lie about themselves.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, test } from "node:test";
import { createDeflate, deflateSync } from "node:zlib";
import {
  commitBytes,
  type Entry,
  plantTreeBomb,
  STAMP,
  setBranches,
  treeBytes,
  writeObjects,
} from "../history/objects.ts";
import { plainGit } from "../history/plain-git.ts";
import { assertSums, type Reading, readBack } from "../history/reading.ts";
import { assertHarmless, fire, setTrap, type Trap } from "./trap.ts";

let trap: Trap;
before(async () => {
  trap = await setTrap();
});
after(() => trap.dispose());

/** Reads it all, with nothing outside touched and the counters in order. */
async function read(repository: string, flags: readonly string[] = []): Promise<Reading> {
  const { code, stderr, folder } = await assertHarmless(trap, repository, flags);
  assert.equal(code, 0, stderr);
  const reading = readBack(folder);
  assertSums(reading);
  return reading;
}

/** A branch with one commit of these entries, older than all others. */
async function commitTree(repository: string, entries: readonly Entry[], branch = "evil"): Promise<string> {
  const [tree] = await writeObjects(repository, "tree", [treeBytes(entries)]);
  const bytes = commitBytes(tree!, "Evil").replaceAll("1700000000", "1600000000");
  const [commit] = await writeObjects(repository, "commit", [bytes]);
  await setBranches(repository, { [branch]: commit! });
  return commit!;
}

const ESCAPES = [
  ...[
    "..",
    ".",
    ".git",
    ".GIT",
    "../escape",
    "../../escape",
    ".git/hooks/post-checkout",
    "a/../../escape",
    "a/.git/config",
  ],
  ...[
    "/etc/escape",
    "//escape",
    "a//b",
    "a/",
    "C:/../escape",
    "..\\escape",
    "C:\\escape",
    "\\\\host\\share",
    "a/./b",
  ],
];
const HARMLESS = ["..\\escape", "C:\\escape", "\\\\host\\share"];

test("names that lead out of the folder are counted, and the rest of their commit is read", async () => {
  const repository = trap.repository();
  const [oid] = await writeObjects(repository, "blob", ["escaped\n"]);
  const evil = ESCAPES.map((name) => ({ mode: "100644", name, oid: oid! }));
  const commit = await commitTree(repository, [...evil, { mode: "100644", name: "fine.txt", oid: oid! }]);
  const { stderr } = await fire(trap, repository, ["checkout", "evil"]);
  assert.match(stderr, /invalid path/, "plain git refuses these too");
  const { examples, dropped } = await read(repository);
  const kept = examples.filter((example) => example.commit === commit).map(({ path }) => path);
  assert.deepEqual(kept.sort(), ["fine.txt", ...HARMLESS].sort());
  const reasons = dropped.filter((drop) => drop.commit === commit);
  assert.equal(reasons.length, ESCAPES.length - HARMLESS.length);
  assert.deepEqual([...new Set(reasons.map(({ reason }) => reason))], ["unsafe-path"]);
});

test("a tree in a tree that leads out, and a link in it", async () => {
  const repository = trap.repository();
  const [oid, target] = await writeObjects(repository, "blob", ["escaped\n", "../../../home"]);
  const [hooks] = await writeObjects(repository, "tree", [
    treeBytes([{ mode: "100755", name: "post-checkout", oid: oid! }]),
  ]);
  const [git] = await writeObjects(repository, "tree", [
    treeBytes([{ mode: "40000", name: "hooks", oid: hooks! }]),
  ]);
  const commit = await commitTree(repository, [
    { mode: "40000", name: "..", oid: hooks! },
    { mode: "40000", name: ".git", oid: git! },
    { mode: "120000", name: "link", oid: target! },
    { mode: "40000", name: "link", oid: hooks! },
    { mode: "100644", name: "\u200c.git", oid: oid! },
    { mode: "100664", name: "old-mode.txt", oid: oid! },
    { mode: "100000", name: "no-mode.txt", oid: oid! },
  ]);
  const { examples, dropped } = await read(repository);
  const mine = (from: readonly { commit: string; path: string }[]) =>
    from
      .filter((record) => record.commit === commit)
      .map(({ path }) => path)
      .sort();
  assert.deepEqual(mine(dropped), ["../post-checkout", ".git/hooks/post-checkout", "link"]);
  assert.deepEqual(mine(examples), ["link/post-checkout", "no-mode.txt", "old-mode.txt", "\u200c.git"]);
});

test("entries that say to be files and are not, and trees out of order", async () => {
  const repository = trap.repository();
  const [oid] = await writeObjects(repository, "blob", ["text\n"]);
  const [tree] = await writeObjects(repository, "tree", [treeBytes([])]);
  for (const entries of [
    [{ mode: "100644", name: "a", oid: tree! }],
    [{ mode: "40000", name: "a", oid: oid! }],
    [
      { mode: "100644", name: "b", oid: oid! },
      { mode: "100644", name: "a", oid: oid! },
      { mode: "100644", name: "b", oid: oid! },
    ],
    [{ mode: "100644", name: "", oid: oid! }],
    [{ mode: "777777", name: "a", oid: oid! }],
    [{ mode: "x", name: "a", oid: oid! }],
    [{ mode: "100644", name: "a", oid: "0".repeat(40) }],
  ] satisfies Entry[][]) {
    await commitTree(repository, entries);
    const { code, stderr, folder } = await assertHarmless(trap, repository);
    if (code === 0) assertSums(readBack(folder));
    else assert.match(stderr, /^Expected [^\n]*\n$/);
  }
});

const MiB = 1024 * 1024;
const BOMB = 200 * MiB;

/** Writes a loose object whose header and content need not agree with each other or with its name. */
function writeLoose(repository: string, oid: string, bytes: Buffer): void {
  const folder = join(repository, ".git/objects", oid.slice(0, 2));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, oid.slice(2)), bytes, { mode: 0o444 });
}

function plantObject(repository: string, type: string, content: Buffer): string {
  const whole = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
  const oid = createHash("sha1").update(whole).digest("hex");
  writeLoose(repository, oid, deflateSync(whole, { level: 1 }));
  return oid;
}

/** Writes an object that is one byte over and over behind `head`, without ever holding it. */
async function plantBomb(
  repository: string,
  bomb: { type: string; head: string; byte: number },
): Promise<string> {
  const folder = join(repository, ".git/objects");
  const hash = createHash("sha1");
  const chunks = function* () {
    yield Buffer.from(`${bomb.type} ${bomb.head.length + BOMB}\0${bomb.head}`);
    const chunk = Buffer.alloc(MiB, bomb.byte);
    for (let i = 0; i < BOMB; i += MiB) yield chunk;
  };
  const hashed = function* () {
    for (const chunk of chunks()) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const path = join(folder, "bomb");
  await pipeline(Readable.from(hashed()), createDeflate({ level: 1 }), createWriteStream(path));
  const oid = hash.digest("hex");
  mkdirSync(join(folder, oid.slice(0, 2)), { recursive: true });
  renameSync(path, join(folder, oid.slice(0, 2), oid.slice(2)));
  return oid;
}

/** Runs `use` and tells by how much this process grew at its largest, in MiB. */
async function growthOf(use: () => Promise<void>): Promise<number> {
  const start = process.memoryUsage.rss();
  let peak = start;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  try {
    await use();
  } finally {
    clearInterval(timer);
  }
  return (Math.max(peak, process.memoryUsage.rss()) - start) / MiB;
}

for (const [what, byte] of [
  ["zeros", 0],
  ["newlines", 10],
] as const) {
  test(`a content of ${BOMB / MiB} MiB of ${what} in a few bytes is counted by its size alone`, async () => {
    const repository = trap.repository();
    const bomb = await plantBomb(repository, { type: "blob", head: "", byte });
    const [small] = await writeObjects(repository, "blob", ["small\n"]);
    const first = await commitTree(repository, [{ mode: "100644", name: "bomb", oid: small! }]);
    const [tree] = await writeObjects(repository, "tree", [
      treeBytes([{ mode: "100644", name: "bomb", oid: bomb }]),
    ]);
    const grown = commitBytes(tree!, "Grow", [first]).replaceAll("1700000000", "1600000000");
    const [second] = await writeObjects(repository, "commit", [grown]);
    await setBranches(repository, { evil: second! });
    const started = performance.now();
    const growth = await growthOf(async () => {
      const { dropped } = await read(repository);
      assert.deepEqual(
        dropped.map(({ path, reason }) => [path, reason]),
        [["bomb", "over-size"]],
      );
    });
    assert.ok(growth < 100, `${growth.toFixed()} MiB more`);
    assert.ok(performance.now() - started < 60_000);
  });
}

test("a commit whose message is a bomb", async () => {
  const repository = trap.repository();
  const tree = (await plainGit(["rev-parse", "main~14^{tree}"], { cwd: repository })).trim();
  const head = `tree ${tree}\nauthor ${STAMP}\ncommitter ${STAMP}\n\n`;
  const oid = await plantBomb(repository, { type: "commit", head, byte: 109 });
  await setBranches(repository, { evil: oid });
  const growth = await growthOf(async () => {
    const { dropped } = await read(repository);
    assert.deepEqual(
      new Set(dropped.map(({ commit, reason }) => `${commit} ${reason}`)),
      new Set([`${oid} over-size`]),
    );
  });
  assert.ok(growth < 100, `${growth.toFixed()} MiB more`);
});

const content = Buffer.from("text\n");
const good = Buffer.concat([Buffer.from("blob 5\0"), content]);
const oid = createHash("sha1").update(good).digest("hex");

/** A file whose content is a lie, and then another in its place, or nothing. */
async function plantLie(lie: Buffer, { then }: { readonly then: readonly Entry[] }): Promise<string> {
  const repository = trap.repository();
  writeLoose(repository, oid, lie);
  const [other] = await writeObjects(repository, "blob", [OTHER]);
  const first = await commitTree(repository, [
    { mode: "100644", name: "a", oid },
    { mode: "100644", name: "b", oid: other! },
  ]);
  await writeObjects(repository, "blob", ["more\n"]);
  const [tree] = await writeObjects(repository, "tree", [treeBytes(then)]);
  const next = commitBytes(tree!, "Next", [first]).replaceAll("1700000000", "1600000000");
  const [second] = await writeObjects(repository, "commit", [next]);
  await setBranches(repository, { evil: second! });
  return repository;
}

const OTHER = "other\n";
const nameOf = (text: string) => createHash("sha1").update(`blob ${text.length}\0${text}`).digest("hex");

/** Says one sentence, or makes no example of what is not what its name says. */
async function assertNoLie(repository: string, what: string): Promise<void> {
  const { code, stderr, folder } = await assertHarmless(trap, repository);
  if (code !== 0) return assert.match(stderr, /^Expected [^\n]*git fsck[^\n]*\n$/, what);
  const reading = readBack(folder);
  assertSums(reading);
  const wrong = reading.examples.filter(({ old }) => old === "evil\n" || old === "te");
  assert.deepEqual(wrong, [], what);
}

test("objects that lie about their size or kind, and ones that are cut off, end in a sentence", async () => {
  const lies = {
    "a smaller size": deflateSync(Buffer.concat([Buffer.from("blob 2\0"), content])),
    "a smaller size, and another answer behind it": deflateSync(
      Buffer.from(`blob 2\0te\n${nameOf(OTHER)} blob 5\nevil\n`),
    ),
    "a larger size": deflateSync(Buffer.concat([Buffer.from("blob 60000\0"), content])),
    "a size beyond all": deflateSync(Buffer.concat([Buffer.from("blob 99999999999999999999\0"), content])),
    "no size": deflateSync(Buffer.concat([Buffer.from("blob \0"), content])),
    "another kind": deflateSync(Buffer.concat([Buffer.from("tree 5\0"), content])),
    "a kind that there is not": deflateSync(Buffer.concat([Buffer.from("evil 5\0"), content])),
    "other bytes": deflateSync(Buffer.concat([Buffer.from("blob 5\0"), Buffer.from("evil\n")])),
    "half of it": deflateSync(good).subarray(0, 9),
    "nothing at all": Buffer.alloc(0),
    "no compression": good,
  };
  const changed: Entry = { mode: "100644", name: "a", oid: nameOf("more\n") };
  for (const [lie, bytes] of Object.entries(lies)) {
    for (const then of [[], [changed]]) {
      await assertNoLie(await plantLie(bytes, { then }), `${lie}, then ${then.length} files`);
    }
  }
});

test("a kilobyte of trees that stands for ten billion paths, which keeps git busy until its memory ends", async () => {
  const repository = trap.repository();
  const oid = await plantTreeBomb(repository, 10);
  const commit = await commitTree(repository, [{ mode: "40000", name: "bomb", oid }]);
  const plain = spawnSync("git", ["log", "--raw", "-1", commit], { cwd: repository, timeout: 1000 });
  assert.equal((plain.error as NodeJS.ErrnoException | undefined)?.code, "ETIMEDOUT", "plain git goes on");
  const started = performance.now();
  const { code, stderr } = await assertHarmless(trap, repository);
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`^Expected commits of at most .*, found 10,000,000,000 in ${commit}, [^\\n]*\\n$`),
  );
  assert.ok(performance.now() - started < 30_000);
});

test("deep folders, many names and long ones", async () => {
  const repository = trap.repository();
  const [oid] = await writeObjects(repository, "blob", ["deep\n"]);
  let inner = oid!;
  const [wide] = await writeObjects(repository, "tree", [
    treeBytes(
      Array.from({ length: 3000 }, (_, i) => ({
        mode: "100644",
        name: `f${String(i).padStart(5, "0")}`,
        oid: oid!,
      })),
    ),
  ]);
  // Trees by hand: one process for each of 400 levels would take long.
  for (let i = 0; i < 400; i++) {
    const mode = i === 0 ? "100644" : "40000";
    inner = plantObject(repository, "tree", treeBytes([{ mode, name: "deeper", oid: inner }]));
  }
  const commit = await commitTree(repository, [
    { mode: "40000", name: "deep", oid: inner },
    { mode: "100644", name: "n".repeat(100_000), oid: oid! },
    { mode: "100644", name: "o".repeat(5000), oid: oid! },
    { mode: "40000", name: "wide", oid: wide! },
  ]);
  const { examples, dropped } = await read(repository);
  const mine = examples.filter((example) => example.commit === commit);
  const lost = dropped.filter((drop) => drop.commit === commit);
  assert.deepEqual(
    lost.map(({ path, reason }) => [path.length, reason]),
    [[100_000, "over-size"]],
  );
  assert.equal(mine.length, 3002);
});
