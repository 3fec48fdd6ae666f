// How many paths a commit changes at most, counted from its distinct trees, each read once. A kilobyte of trees that
// hold each other stands for more paths than a disk could hold (a "git bomb"), and git gathers them all before it says a
// word: who reads its log asks here when it is silent for long.

import { UserError } from "../base/errors.ts";
import { runGit } from "./git.ts";
import { placeOf, type Shadow } from "./shadow.ts";

/** The largest repositories have a few million files; git needs some 200 bytes for each that changes. */
const MOST_PATHS = 10_000_000;
/** Trees of this size together, or this deep, are not read to their end. */
const MOST_BYTES = 1 << 26;
const DEEPEST = 2048;

/** Refuses commits that change more paths than can be read, in words that name the first. */
export async function refuseBombs(
  shadow: Shadow,
  commits: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const trees = createTrees(shadow, signal);
  for (const { hash, tree, parents } of await readCommits(shadow, commits, signal)) {
    const [before] = await readCommits(shadow, parents.slice(0, 1), signal);
    const paths = await trees.countChanged(tree, before?.tree);
    if (paths <= MOST_PATHS) continue;
    const many = Number.isFinite(paths) ? paths.toLocaleString("en-US") : "endless";
    throw new UserError(
      `Expected commits of at most ${MOST_PATHS.toLocaleString("en-US")} files, found ${many} in ${hash}, which git cannot list; leave it out with --since or --until, or its branch with a clone of another one`,
    );
  }
}

type TreeCommit = { readonly hash: string; readonly tree: string; readonly parents: readonly string[] };

async function readCommits(
  shadow: Shadow,
  commits: readonly string[],
  signal: AbortSignal | undefined,
): Promise<TreeCommit[]> {
  if (commits.length === 0) return [];
  const args = ["log", "--no-walk=unsorted", "--format=%H %T %P", ...commits, "--"];
  const { stdout } = await runGit(args, placeOf(shadow, signal));
  const lines = stdout.toString("latin1").split("\n").filter(Boolean);
  return lines.map((line) => {
    const [hash, tree, ...parents] = line.trim().split(" ");
    return { hash: hash!, tree: tree!, parents };
  });
}

type Entry = { readonly name: string; readonly oid: string; readonly isTree: boolean };

/** Trees by their ids, and how many paths each stands for. */
function createTrees(shadow: Shadow, signal: AbortSignal | undefined) {
  const known = new Map<string, readonly Entry[]>();
  const counts = new Map<string, number>();
  const countOf = (oid: string): number => {
    const counted = counts.get(oid);
    if (counted !== undefined) return counted;
    // No tree holds itself, but what is read of a damaged one may.
    counts.set(oid, 0);
    // A tree that could not be read counts as none: git will say so itself.
    const count = (known.get(oid) ?? []).reduce((sum, entry) => sum + countEntry(entry), 0);
    counts.set(oid, count);
    return count;
  };
  const countEntry = ({ oid, isTree }: Entry) => (isTree ? countOf(oid) : 1);
  /** Reads all trees below these, level by level; false when there are too many bytes or levels of them. */
  const readBelow = async (roots: readonly string[]): Promise<boolean> => {
    let level = roots.filter((oid) => !known.has(oid));
    let left = MOST_BYTES;
    for (let depth = 0; level.length > 0; depth++) {
      left -= await sizeOf(shadow, level, signal);
      if (left < 0 || depth > DEEPEST) return false;
      for (const [oid, entries] of await readLevel(shadow, level, signal)) known.set(oid, entries);
      const below = level.flatMap((oid) => known.get(oid) ?? []).filter(({ isTree }) => isTree);
      level = [...new Set(below.map(({ oid }) => oid))].filter((oid) => !known.has(oid));
    }
    return true;
  };
  return {
    /** Paths in either tree below entries that the other does not have too; infinite where there is no end of them. */
    async countChanged(tree: string, before: string | undefined): Promise<number> {
      if (!(await readBelow([tree, ...(before === undefined ? [] : [before])]))) return Infinity;
      const [now, then] = [known.get(tree) ?? [], (before && known.get(before)) || []];
      const keys = (entries: readonly Entry[]) => new Set(entries.map(({ name, oid }) => `${oid} ${name}`));
      const only = (entries: readonly Entry[], others: ReadonlySet<string>) =>
        entries.filter(({ name, oid }) => !others.has(`${oid} ${name}`));
      const changed = [...only(now, keys(then)), ...only(then, keys(now))];
      return changed.reduce((sum, entry) => sum + countEntry(entry), 0);
    },
  };
}

/** Bytes of objects, together. */
async function sizeOf(shadow: Shadow, oids: readonly string[], signal?: AbortSignal): Promise<number> {
  const input = oids.map((oid) => `${oid}\n`).join("");
  const args = ["cat-file", "--batch-check=%(objectsize)"];
  const { stdout } = await runGit(args, { ...placeOf(shadow, signal), input });
  const sizes = stdout.toString("latin1").split("\n");
  return sizes.reduce((sum, size) => sum + (Number(size) || 0), 0);
}

const SPACE = 32;
const NEWLINE = 10;

async function readLevel(
  shadow: Shadow,
  oids: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, readonly Entry[]>> {
  const input = oids.map((oid) => `${oid}\n`).join("");
  const { stdout } = await runGit(["cat-file", "--batch"], { ...placeOf(shadow, signal), input });
  const found = new Map<string, readonly Entry[]>();
  for (let at = 0; at < stdout.length; ) {
    const end = stdout.indexOf(NEWLINE, at);
    if (end < 0) break;
    const [oid, type, size] = stdout.toString("latin1", at, end).split(" ");
    at = end + 1;
    // "missing" has no content behind it.
    if (size === undefined || !/^\d+$/.test(size)) continue;
    const content = stdout.subarray(at, at + Number(size));
    if (type === "tree") found.set(oid!, parseTree(content, shadow.algorithm === "sha256" ? 32 : 20));
    at += Number(size) + 1;
  }
  return found;
}

/** Entries are `mode name NUL id`, ids in bytes (git's tree objects). */
function parseTree(bytes: Buffer, idLength: number): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(SPACE, at);
    const zero = bytes.indexOf(0, space + 1);
    if (space < 0 || zero < 0) break;
    const mode = bytes.toString("latin1", at, space);
    const name = bytes.toString("latin1", space + 1, zero);
    const oid = bytes.toString("hex", zero + 1, zero + 1 + idLength);
    entries.push({ name, oid, isTree: mode === "40000" });
    at = zero + 1 + idLength;
  }
  return entries;
}
