// Whether damaged output of git ever crashes, hangs or becomes a wrong example. Fixed seeds: a failure names the case.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defaultsOf } from "../../src/base/options.ts";
import { createRandom, type Random } from "../../src/base/random.ts";
import type { Example } from "../../src/dataset/example.ts";
import { readExamples, splits } from "../../src/dataset/store.ts";
import { type HistoryOptions, historyOptions } from "../../src/history/options.ts";
import { createLogParser } from "../../src/history/parser.ts";
import { writeDataset } from "../../src/history/write.ts";
import { collect, makeRepository, type Step } from "../repository.ts";
import { damage } from "./damage.ts";
import { applyHunks, blobName } from "./oracle.ts";
import { plainBytes, plainGit } from "./plain-git.ts";
import { type Damage, type Said, scriptGit, UNHARMED } from "./scripted-git.ts";
import { makeTemporary, type Temporary } from "./temporary.ts";

const LINES = Array.from({ length: 9 }, (_, i) => `line ${i}\n`).join("");
const steps: readonly Step[] = [
  { message: "First", files: { "a.txt": LINES, b: "b", "gone.txt": "gone\nfor good\n" } },
  {
    message: "Second\n\n@@ -1 +1 @@\n",
    files: { "a.txt": LINES.replace("line 4", "line four"), "new\nline": "x\n" },
  },
  { message: "Third", files: { "gone.txt": null, b: null, "c/d": "b", link: { mode: "120000", data: "b" } } },
  {
    message: "Fourth",
    files: { "a.txt": `0\n${LINES}9\n`, bin: Buffer.from([0, 1, 255]), link: "now a file\n" },
  },
];

let here: Temporary;
let repository = "";
let contents: ReadonlyMap<string, Buffer>;
let log: Buffer;
let wanted: readonly Example[];
let git: ReturnType<typeof scriptGit>;

before(async () => {
  here = makeTemporary();
  repository = await makeRepository(join(here.folder, "r"), steps);
  contents = await readContents();
  git = scriptGit(contents);
  const remember = (name: string, said: Said) => {
    if (name === "diff-tree") log = said.stdout;
    return said;
  };
  wanted = await git.run({ ...UNHARMED, said: remember }, () => examples());
  assert.equal(wanted.length, 8);
});

after(() => here.dispose());

async function examples(options: Partial<HistoryOptions> = {}): Promise<Example[]> {
  const { events } = await collect(repository, options);
  return events.flatMap((event) => (event.type === "example" ? [event.example] : []));
}

async function readContents(): Promise<ReadonlyMap<string, Buffer>> {
  const listed = await plainGit(["cat-file", "--batch-all-objects", "--batch-check"], { cwd: repository });
  const oids = listed
    .split("\n")
    .filter((line) => line.includes(" blob "))
    .map((line) => line.split(" ")[0]!);
  const read = async (oid: string) =>
    [oid, await plainBytes(["cat-file", "blob", oid], { cwd: repository })] as const;
  return new Map(await Promise.all(oids.map(read)));
}

/** What comes out is nothing, or an error in words, or examples that lead from one of git's contents to another. */
async function assertSound(
  name: string,
  { harm, options, use = () => examples(options) }: Omit<Drawn, "way">,
): Promise<"refused" | "kept"> {
  const deadline = new Promise<"late">((resolve) => setTimeout(resolve, 60_000, "late").unref());
  const work = git.run(harm, use).catch((error: Error) => error);
  const outcome = await Promise.race([work, deadline]);
  assert.notEqual(outcome, "late", `${name}: hangs`);
  if (outcome instanceof Error) {
    assert.equal(outcome.name, "UserError", `${name}: ${outcome.stack}`);
    assert.match(outcome.message, /^Expected .*, found/s, name);
    return "refused";
  }
  for (const example of outcome as Example[]) assertTrue(example, name);
  return "kept";
}

function assertTrue({ old, diff, path, message, time, commit, parent }: Example, name: string): void {
  const what = `${name}: ${JSON.stringify({ path, old, diff })}`;
  assert.ok(old === null || contents.has(blobName(Buffer.from(old), 40)), what);
  const result = applyHunks(old ?? "", diff);
  const gone = diff.includes("\ndeleted file mode ");
  assert.ok(gone ? result === "" : contents.has(blobName(Buffer.from(result), 40)), what);
  assert.ok(Number.isSafeInteger(time) && time >= 0, `${name}: time ${time}`);
  assert.match(commit, /^[0-9a-f]{40}$/);
  assert.match(parent ?? commit, /^[0-9a-f]{40}$/, `${name}: parent ${parent}`);
  assert.equal(typeof message, "string");
  assert.notEqual(path, "");
}

type Drawn = {
  readonly way: string;
  readonly harm: Damage;
  readonly options?: Partial<HistoryOptions>;
  readonly use?: () => Promise<Example[]>;
};

async function fuzz(seed: number, count: number, harm: (random: Random) => Drawn): Promise<void> {
  const outcomes = { refused: 0, kept: 0 };
  for (let i = 0; i < count; i++) {
    const drawn = harm(createRandom(seed + i));
    outcomes[await assertSound(`case ${seed + i}, ${drawn.way}`, drawn)]++;
  }
  assert.ok(outcomes.refused > count / 4 && outcomes.kept > count / 50, JSON.stringify(outcomes));
}

test("git log: damaged output, with exit codes of both kinds", async () => {
  await fuzz(1_000_000, 300, (random) => {
    const { way, bytes } = damage(log, random);
    const code = random.below(4) === 0 ? 128 : 0;
    const said = (name: string, said: Said) =>
      name === "diff-tree" ? { ...said, stdout: bytes, code } : said;
    return { way, harm: { ...UNHARMED, said } };
  });
});

// Contents that were just judged are kept and not asked for: those of commits that are not read must be.
const options = { max_commits: 3 };

/** How many bytes of answers are asked for. */
async function countAnswers(): Promise<number> {
  let count = 0;
  const answers = (bytes: Buffer, from: number) => {
    count = from + bytes.length;
    return bytes;
  };
  await git.run({ ...UNHARMED, answers }, () => examples(options));
  return count;
}

test("git cat-file: damaged answers", async () => {
  const length = await countAnswers();
  assert.ok(length > LINES.length, `${length}`);
  await fuzz(2_000_000, 220, (random) => {
    const at = random.below(length);
    let way = "none";
    const answers = (bytes: Buffer, from: number) => {
      if (at < from || at >= from + bytes.length) return bytes;
      const damaged = damage(bytes, random);
      way = damaged.way;
      return damaged.bytes;
    };
    return { way: `${way} at ${at}`, harm: { ...UNHARMED, answers }, options };
  });
});

/** The whole of it, with the split and what is written. */
async function written(): Promise<Example[]> {
  const folder = here.fresh();
  const events = writeDataset({ repository, folder }, defaultsOf(historyOptions));
  try {
    while (!(await events.next()).done);
    return splits.flatMap((split) => [...readExamples(folder, split)]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const VICTIMS = ["rev-list", "rev-list", "for-each-ref", "rev-parse", "ls-tree", "--version"];

test("rev-list and all other commands, to the written dataset: damaged output", async () => {
  await fuzz(4_000_000, 300, (random) => {
    const victim = VICTIMS[random.below(VICTIMS.length)]!;
    let way = "none";
    const said = (name: string, all: Said) => {
      if (name !== victim) return all;
      const damaged = damage(all.stdout, random);
      way = damaged.way;
      return { ...all, stdout: damaged.bytes };
    };
    return { way: `${victim}, ${way}`, harm: { ...UNHARMED, said }, use: written };
  });
});

test("a commit that lost a line of rev-list, or gained a parent there, is refused", async () => {
  const { length } = steps;
  for (let line = 0; line < length; line++) {
    const lose = (text: string) => text.split("\n").toSpliced(line, 1).join("\n");
    const join = (text: string) =>
      text
        .split("\n")
        .map((one, i) => (i === line && i > 1 ? `${one} ${text.split(/[ \n]/)[1]}` : one))
        .join("\n");
    for (const harm of line > 1 ? [lose, join] : [lose]) {
      const said = (name: string, all: Said) =>
        name === "rev-list" ? { ...all, stdout: Buffer.from(harm(all.stdout.toString())) } : all;
      await assert.rejects(git.run({ ...UNHARMED, said }, written), {
        name: "UserError",
        message: /^Expected (commit|the parents of) .*rev-list/,
      });
    }
  }
});

test("the parser alone: many damaged streams in pieces of all sizes", () => {
  let refused = 0;
  for (let seed = 0; seed < 6000; seed++) {
    const random = createRandom(3_000_000 + seed);
    const { way, bytes } = damage(log, random);
    const parser = createLogParser({
      hashLength: 40,
      maxSectionBytes: random.below(3) === 0 ? 100 : 1 << 16,
    });
    try {
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + random.below(random.below(2) === 0 ? 20 : 2000);
        parser.push(bytes.subarray(at, at + size));
        at += size;
      }
      parser.end();
    } catch (error) {
      refused++;
      assert.match((error as Error).message, /^Expected .*git log/s, `case ${seed}, ${way}`);
    }
  }
  assert.ok(refused > 3000, `${refused}`);
});
