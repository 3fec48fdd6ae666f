// How the script of 2022 (xloem/codefudge: hist.bash) asks git for the pairs of a commit, written anew to be timed: one
// process for the list of files, and four for every file. It reads random commits of a repository, and prints one JSON
// line with the seconds that they took; the whole is far too slow to be run to its end.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "../../src/base/random.ts";
import { runGit } from "../../src/history/git.ts";
import { openShadow, placeOf, revisionsOf } from "../../src/history/shadow.ts";
import { stopwatch } from "./stopwatch.ts";

type Job = { readonly repository: string; readonly folder: string; readonly commits: number };

const { repository, folder, commits: count } = JSON.parse(process.argv.at(-1)!) as Job;
const pairs = join(folder, "pairs");
mkdirSync(pairs, { recursive: true });
const shadow = await openShadow(repository);
const place = placeOf(shadow);
const git = async (...args: string[]) => (await runGit(args, place)).stdout;

const listed = await git("rev-list", ...revisionsOf(shadow));
const commits = createRandom(1).shuffle(listed.toString("latin1").trim().split("\n"));
const sampled = commits.slice(0, count);
const stop = stopwatch();
let files = 0;
for (const [number, commit] of sampled.entries()) files += await readCommit(commit, number);
console.log(JSON.stringify({ ...stop(), commits: commits.length, sampled: sampled.length, files }));
shadow.dispose();

async function readCommit(commit: string, number: number): Promise<number> {
  // The script removes what an earlier run left of this number: a look at every file so far.
  for (const name of readdirSync(pairs)) if (name.startsWith(`${number}-`)) rmSync(join(pairs, name));
  const stat = (await git("log", "-1", "--stat", commit)).toString("utf8");
  const names = [...stat.matchAll(/^ ([^ ]*) +\| +([^ ]*).*$/gm)].map(([, name]) => name!);
  for (const [i, name] of names.entries())
    await readPair({ commit, name, path: join(pairs, `${number}-${i}`) });
  return names.length;
}

async function readPair({
  commit,
  name,
  path,
}: {
  commit: string;
  name: string;
  path: string;
}): Promise<void> {
  const [, , object] = (await git("ls-tree", `${commit}^`, name)).toString("utf8").split(/\s/);
  const message = await git("log", "-1", "--encoding=utf-8", commit, "--pretty=format:%s%n%b");
  const content = object ? await git("cat-file", "blob", object) : Buffer.alloc(0);
  writeFileSync(`${path}.file`, Buffer.concat([message, Buffer.from(`<pad>${name}<pad>\n\n`), content]));
  const patch = ["--patch", "--follow", "--find-renames", "--encoding=utf-8", "--pretty=format:"];
  const diff = await git("log", "-1", ...patch, commit, "--", name);
  writeFileSync(`${path}.commit`, diff);
}
