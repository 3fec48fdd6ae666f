// The filters that need no contents: what a person asked for, who wrote a commit, what its message says, and the names of
// files. Whoever reads a history asks these before it fetches anything.

import { readAttributes } from "./attributes.ts";
import { judgeAuthor, judgeBot, judgeCherryPick, judgeRevert } from "./commits.ts";
import type { FilterOptions, RepositoryRules } from "./options.ts";
import { judgePath } from "./paths.ts";
import { createMatcher } from "./patterns.ts";
import type { CommitFacts, FilterName, Verdict } from "./verdict.ts";

export type RecordFilter = {
  /** Of the commit as a whole. */
  byCommit(commit: CommitFacts): Verdict | undefined;
  /** Of the name of a file alone; `undefined` for a file that is forced in. */
  byPath(path: string): Verdict | undefined;
  /** All that can be said before contents are read: `byCommit` and `byPath`, with what is forced in set right. */
  byRecord(commit: CommitFacts, path: string): Verdict | undefined;
  /** Whether a person wants this file whatever the rules say. */
  isForced(path: string): boolean;
};

/** The part of the filter that options and a repository's own rules make for records. */
export function createRecordFilter(options: FilterOptions, repository: RepositoryRules): RecordFilter {
  const isOn = (name: FilterName) => !options.keep.includes(name);
  const isForced = createMatcher(options.force_include);
  const judgeCommit = commitJudge(options, isOn);
  const judgeName = pathJudge(options, repository, isOn);
  return {
    byCommit: (commit) => judgeCommit.byPerson(commit) ?? judgeCommit.byRule(commit),
    byPath: (path) => (isForced(path) ? undefined : judgeName(path)),
    byRecord: (commit, path) => {
      const verdict = judgeCommit.byPerson(commit);
      if (verdict !== undefined || isForced(path)) return verdict;
      return judgeCommit.byRule(commit) ?? judgeName(path);
    },
    isForced,
  };
}

export type IsOn = (name: FilterName) => boolean;
export type Judge<T> = (facts: T) => Verdict | undefined;

/** What a person asked for decides before any rule, and for files that are forced in as well. */
function commitJudge(options: FilterOptions, isOn: IsOn): Record<"byPerson" | "byRule", Judge<CommitFacts>> {
  const rules = [
    ...(isOn("bot") ? [judgeBot] : []),
    ...(isOn("revert") ? [judgeRevert] : []),
    ...(isOn("cherry-pick") ? [judgeCherryPick] : []),
  ];
  return {
    byPerson: perCommit((commit) => judgeAuthor(options, commit)),
    byRule: perCommit((commit) => firstVerdict(rules, commit)),
  };
}

/** Remembers the last answer: records that follow each other often share the facts of their commit. */
export function perCommit<T>(ask: (commit: CommitFacts) => T): (commit: CommitFacts) => T {
  let last: { readonly commit: CommitFacts; readonly answer: T } | undefined;
  return (commit) => {
    if (last?.commit !== commit) last = { commit, answer: ask(commit) };
    return last.answer;
  };
}

function pathJudge(options: FilterOptions, repository: RepositoryRules, isOn: IsOn): Judge<string> {
  const isIncluded = options.include.length === 0 ? () => true : createMatcher(options.include);
  const isExcluded = createMatcher([...repository.ignore.split("\n"), ...options.exclude]);
  const attributeOf = readAttributes(repository.attributes);
  return (path) => {
    if (!isIncluded(path)) return { reason: "excluded", detail: "not included" };
    if (isExcluded(path)) return { reason: "excluded" };
    const verdict = byAttribute(path, attributeOf) ?? judgePath(path);
    return verdict && isOn(verdict.reason as FilterName) && !isDenied(verdict, path, attributeOf)
      ? verdict
      : undefined;
  };
}

export type AttributeOf = ReturnType<typeof readAttributes>;

function byAttribute(path: string, attributeOf: AttributeOf): Verdict | undefined {
  if (attributeOf(path, "generated")) return { reason: "generated", detail: ".gitattributes" };
  return attributeOf(path, "vendored") ? { reason: "vendored", detail: ".gitattributes" } : undefined;
}

/** The owners of a repository know better than our rules what they wrote: `-linguist-generated`. */
export function isDenied({ reason }: Verdict, path: string, attributeOf: AttributeOf): boolean {
  if (reason === "vendored") return attributeOf(path, "vendored") === false;
  return (reason === "generated" || reason === "minified") && attributeOf(path, "generated") === false;
}

export function firstVerdict<T>(rules: readonly Judge<T>[], facts: T): Verdict | undefined {
  for (const rule of rules) {
    const verdict = rule(facts);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}
