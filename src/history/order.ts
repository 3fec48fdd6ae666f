// The order in which commits are read: every commit after its parents, else by time, and the same whatever git's walk
// and whatever came later. A commit's place depends on nothing but itself and its ancestors, so a history that grew
// keeps the order that it had. Knows nothing of changes.

import { UserError } from "../base/errors.ts";
import { runGit } from "./git.ts";
import { placeOf, revisionsOf, type Shadow } from "./shadow.ts";
import { describeDamage } from "./surprise.ts";

export type Commit = {
  readonly hash: string;
  /** Number of parents; none at the edge of a shallow clone. */
  readonly parents: number;
  /** The first of them. */
  readonly parent: string | null;
  /** Committer time, seconds since 1970. */
  readonly time: number;
};

/** A commit with the ids of its parents. */
export type LinkedCommit = Omit<Commit, "parents" | "parent"> & { readonly parents: readonly string[] };

export type Selection = {
  /** Only what is checked out and its first parents, instead of all that branches and tags lead to. */
  readonly firstParent: boolean;
  /** Only the newest so many, by our order; `null` for all. */
  readonly maxCommits: number | null;
  /** First and last second of the committer time, both included; `null` for no limit. */
  readonly since: number | null;
  readonly until: number | null;
};

/** All commits that can be reached, and those of them that are selected; both oldest first. */
export type Listing = { readonly reachable: readonly Commit[]; readonly selected: readonly Commit[] };

/** The commits of a repository in our order; a `UserError` when the history cannot be walked. */
export async function listCommits(
  shadow: Shadow,
  selection: Selection,
  signal?: AbortSignal,
): Promise<Listing> {
  const order = ["--topo-order", "--reverse", "--timestamp", "--parents"];
  const args = ["rev-list", ...order, ...walk(shadow, selection), "--"];
  const { stdout, stderr, exitCode } = await runGit(args, placeOf(shadow, signal));
  if (exitCode !== 0) throw describeWalkFailure(stderr);
  const reachable = sortCommits(requireWhole(parseCommits(stdout), shadow, selection));
  return { reachable, selected: select(reachable, selection) };
}

/** Whether a commit can have examples: merges count where their change to the first parent is read. */
export function canHaveExamples(commit: Commit, shadow: Shadow, { firstParent }: Selection): boolean {
  return (firstParent || commit.parents < 2) && !shadow.shallow.has(commit.hash);
}

/** What is said of a history that git cannot read to its end. */
export function describeWalkFailure(stderr: string): UserError {
  const said = stderr.trim().split("\n").at(-1) || "nothing more of it, and no word why";
  return new UserError(`Expected a readable history, found: ${said}; run "git fsck" in the repository`);
}

function walk(shadow: Shadow, { firstParent }: Selection): string[] {
  if (!firstParent) return revisionsOf(shadow);
  if (shadow.head !== null) return ["--first-parent", "HEAD"];
  throw new UserError(
    "Expected a branch with commits to be checked out for --merges first-parent, found none; check one out, or leave the option out",
  );
}

const NEWLINE = 10;

const LINE = /^(\d{1,20}) ((?:[0-9a-f]{40}|[0-9a-f]{64})(?: (?:[0-9a-f]{40}|[0-9a-f]{64}))*)$/;

function* parseCommits(bytes: Buffer): Generator<LinkedCommit> {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start);
    const line = end < 0 ? "" : bytes.toString("latin1", start, end);
    const [, time, ids] = LINE.exec(line) ?? [];
    if (time === undefined || ids === undefined)
      throw describeWalkFailure("a line of git rev-list that is none");
    const [hash, ...parents] = ids.split(" ");
    yield { hash: hash!, parents, time: Number(time) };
    start = end + 1;
  }
}

/** The same, where each is said once and after its parents, and what is checked out is among them: git walks to the end
 * of a history. */
function* requireWhole(
  commits: Iterable<LinkedCommit>,
  { head }: Shadow,
  { firstParent }: Selection,
): Generator<LinkedCommit> {
  const known = new Set<string>();
  for (const commit of commits) {
    const { hash, parents } = commit;
    const above = firstParent ? parents.slice(0, 1) : parents;
    const missing = above.find((parent) => !known.has(parent));
    if (missing !== undefined)
      throw describeDamage(`commit ${missing} before ${hash}`, "none in git rev-list");
    if (known.has(hash)) throw describeDamage(`commit ${hash} once`, "it again in git rev-list");
    known.add(hash);
    yield commit;
  }
  if (head !== null && !known.has(head)) {
    throw describeDamage(`commit ${head}, which is checked out`, "none in git rev-list");
  }
}

type Place = { readonly commit: Commit; readonly time: number; readonly generation: number };

/**
 * Sorts commits that come after their parents by time, where no commit counts as older than its parents; then by the
 * length of the longest way to a root, then by hash.
 */
export function sortCommits(parentsFirst: Iterable<LinkedCommit>): Commit[] {
  const places = new Map<string, Place>();
  for (const { hash, parents, time } of parentsFirst) {
    const above = parents.flatMap((parent) => places.get(parent) ?? []);
    places.set(hash, {
      commit: { hash, parents: parents.length, parent: parents[0] ?? null, time },
      time: above.reduce((latest, place) => Math.max(latest, place.time), time),
      generation: above.reduce((longest, place) => Math.max(longest, place.generation), 0) + 1,
    });
  }
  const sorted = [...places.values()].sort(
    (a, b) => a.time - b.time || a.generation - b.generation || (a.commit.hash < b.commit.hash ? -1 : 1),
  );
  return sorted.map(({ commit }) => commit);
}

function select(commits: readonly Commit[], { since, until, maxCommits }: Selection): readonly Commit[] {
  const within = commits.filter(
    ({ time }) => (since === null || time >= since) && (until === null || time <= until),
  );
  return maxCommits === null ? within : within.slice(-maxCommits);
}
