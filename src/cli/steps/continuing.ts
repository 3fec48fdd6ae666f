// Continuing a run on new commits: which examples are new to it, which old ones are trained again so that they are
// not forgotten, and which old ones only show whether they are. Every choice follows from the seed.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../base/errors.ts";
import { readText, writeFileAtomic } from "../../base/files.ts";
import { createRandom } from "../../base/random.ts";
import type { Example } from "../../dataset/example.ts";

const COMMITS = "commits.txt";
/** Old examples that are measured and not trained. */
const MEASURED = 24;

/** Writes the commits that a run has learned from, those of the run before it included. */
export function writeCommits(folder: string, commits: Iterable<string>): void {
  writeFileAtomic(join(folder, COMMITS), [...new Set(commits)].map((commit) => `${commit}\n`).join(""));
}

/** The commits that a finished run has learned from. */
export function readCommits(folder: string): ReadonlySet<string> {
  const path = join(folder, COMMITS);
  if (!existsSync(path)) {
    throw new UserError(
      `Expected the commits that ${folder} learned from in ${path}, found no such file; train that run again with --restart`,
    );
  }
  return new Set(readText(path).split("\n").filter(Boolean));
}

/** Commits by what becomes of their examples; `old` are those to train again, first the first. */
export type Selection = {
  readonly fresh: ReadonlySet<string>;
  readonly old: readonly string[];
  readonly measured: ReadonlySet<string>;
};

type Choice = {
  readonly known: ReadonlySet<string>;
  readonly seed: number;
  /** Folder of the earlier run, for the message. */
  readonly folder: string;
};

/** Divides the commits of training examples into new ones, old ones to train again and old ones to measure. */
export function selectCommits(
  examples: Iterable<Pick<Example, "commit">>,
  { known, seed, folder }: Choice,
): Selection {
  const counts = new Map<string, number>();
  for (const { commit } of examples) counts.set(commit, (counts.get(commit) ?? 0) + 1);
  const fresh = [...counts.keys()].filter((commit) => !known.has(commit));
  if (fresh.length === 0) {
    throw new UserError(
      `Expected commits that ${folder} has not learned from, found none among the training examples; commit more, or read the history again with codefudge history`,
    );
  }
  const old = createRandom(seed).shuffle([...counts.keys()].filter((commit) => known.has(commit)));
  // At most half of the old ones are measured, so that something is left to be trained again.
  const measured = takeUntil(old.slice(0, Math.ceil(old.length / 2)), MEASURED, counts);
  return { fresh: new Set(fresh), old: old.slice(measured.length), measured: new Set(measured) };
}

/** Old examples that go with so many new ones, for them to be that share of both. */
export function oldCount(fresh: number, old_share: number): number {
  return Math.round((fresh * old_share) / (1 - old_share));
}

/** The first commits that together have so many examples. */
function takeUntil(
  commits: readonly string[],
  wanted: number,
  counts: ReadonlyMap<string, number>,
): string[] {
  const taken: string[] = [];
  let examples = 0;
  for (const commit of commits) {
    if (examples >= wanted) break;
    taken.push(commit);
    examples += counts.get(commit)!;
  }
  return taken;
}

/** The examples of some commits, in order. */
export function* ofCommits(
  examples: Iterable<Example>,
  ...commits: readonly ReadonlySet<string>[]
): Generator<Example> {
  for (const example of examples) if (commits.some((set) => set.has(example.commit))) yield example;
}
