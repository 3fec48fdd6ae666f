// The filters put together: what a person asked for with options, then the named rules of the other files here. Knows
// neither git nor datasets; it is told facts and answers with a verdict, or with nothing when a change may stay.

import type { OptionTable, Values } from "../base/options.ts";
import { readAttributes } from "./attributes.ts";
import { judgeAuthor, judgeBot, judgeCherryPick, judgeRevert } from "./commits.ts";
import { judgeGenerated, judgeMinified, judgeWhitespace } from "./contents.ts";
import { weighMessage } from "./message.ts";
import { judgePath } from "./paths.ts";
import { createMatcher } from "./patterns.ts";
import { createScanner } from "./secrets.ts";
import {
  type ChangeFacts,
  type CommitFacts,
  type FilterName,
  type FilterReason,
  filterNames,
  filterReasons,
  type Verdict,
} from "./verdict.ts";

export type { ChangeFacts, CommitFacts, FilterName, FilterReason, Verdict };
export { filterNames, filterReasons };

/** What to learn from and what to leave out. Patterns are those of `.gitignore`. */
export const filterOptions = {
  include: {
    type: "strings",
    default: [],
    help: "Learn only from files that match, in the patterns of .gitignore; may be given again",
    value: "PATTERN",
    unset: "all files",
  },
  exclude: {
    type: "strings",
    default: [],
    help: "Leave out files that match, beside what .codefudgeignore lists; may be given again",
    value: "PATTERN",
  },
  force_include: {
    type: "strings",
    default: [],
    help: "Learn from files that match whatever the filters say, unless there is a secret in them",
    value: "PATTERN",
  },
  keep: {
    type: "strings",
    default: [],
    choices: [...filterNames],
    help: "Switch a filter off; may be given again",
    value: "NAME",
  },
  author: {
    type: "strings",
    default: [],
    help: "Learn only from commits whose author's name or address contains this; may be given again",
    value: "TEXT",
    unset: "all authors",
  },
  exclude_author: {
    type: "strings",
    default: [],
    help: "Leave out commits whose author's name or address contains this; may be given again",
    value: "TEXT",
  },
} as const satisfies OptionTable;

export type FilterOptions = Values<typeof filterOptions>;

/** What the repository itself says of its files. */
export type RepositoryRules = {
  /** Text of `.codefudgeignore`, empty when there is none. */
  readonly ignore: string;
  /** Text of `.gitattributes` of the newest commit, empty when there is none. */
  readonly attributes: string;
};

export type Filter = {
  /** Of the commit as a whole. */
  byCommit(commit: CommitFacts): Verdict | undefined;
  /** Of the name of a file alone; `undefined` for a file that is forced in. */
  byPath(path: string): Verdict | undefined;
  /** All that can be said before contents are read: `byCommit` and `byPath`, with what is forced in set right. */
  byRecord(commit: CommitFacts, path: string): Verdict | undefined;
  /** Of contents, message and name: secrets last, and for files that are forced in too. */
  byContent(commit: CommitFacts, change: ChangeFacts): Verdict | undefined;
  /** How much an example of this commit counts, 0.25 to 1, by its message. */
  weigh(commit: CommitFacts): number;
};

/** The filter that options and a repository's own rules make. */
export function createFilter(options: FilterOptions, repository: RepositoryRules): Filter {
  const isOn = (name: FilterName) => !options.keep.includes(name);
  const isForced = createMatcher(options.force_include);
  const judgeCommit = commitJudge(options, isOn);
  const weigh = perCommit(({ message }) => (isOn("message-quality") ? weighMessage(message) : 1));
  const judgeName = pathJudge(options, repository, isOn);
  const judgeContent = contentJudge(readAttributes(repository.attributes), isOn);
  const scanner = isOn("secret") ? createScanner() : undefined;
  const byPath = (path: string) => (isForced(path) ? undefined : judgeName(path));
  return {
    byCommit: (commit) => judgeCommit.byPerson(commit) ?? judgeCommit.byRule(commit),
    byPath,
    byRecord: (commit, path) => {
      const verdict = judgeCommit.byPerson(commit);
      if (verdict !== undefined || isForced(path)) return verdict;
      return judgeCommit.byRule(commit) ?? judgeName(path);
    },
    byContent: (commit, change) =>
      (isForced(change.path) ? undefined : judgeContent(change)) ?? scanner?.scan(commit, change),
    weigh,
  };
}

type IsOn = (name: FilterName) => boolean;
type Judge<T> = (facts: T) => Verdict | undefined;

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
function perCommit<T>(ask: (commit: CommitFacts) => T): (commit: CommitFacts) => T {
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

type AttributeOf = ReturnType<typeof readAttributes>;

function byAttribute(path: string, attributeOf: AttributeOf): Verdict | undefined {
  if (attributeOf(path, "generated")) return { reason: "generated", detail: ".gitattributes" };
  return attributeOf(path, "vendored") ? { reason: "vendored", detail: ".gitattributes" } : undefined;
}

/** The owners of a repository know better than our rules what they wrote: `-linguist-generated`. */
function isDenied({ reason }: Verdict, path: string, attributeOf: AttributeOf): boolean {
  if (reason === "vendored") return attributeOf(path, "vendored") === false;
  return (reason === "generated" || reason === "minified") && attributeOf(path, "generated") === false;
}

function contentJudge(attributeOf: AttributeOf, isOn: IsOn): Judge<ChangeFacts> {
  const rules = [
    ...(isOn("generated") ? [judgeGenerated] : []),
    ...(isOn("minified") ? [judgeMinified] : []),
    ...(isOn("whitespace-only") ? [judgeWhitespace] : []),
  ];
  return (change) => {
    const verdict = firstVerdict(rules, change);
    return verdict && !isDenied(verdict, change.path, attributeOf) ? verdict : undefined;
  };
}

function firstVerdict<T>(rules: readonly Judge<T>[], facts: T): Verdict | undefined {
  for (const rule of rules) {
    const verdict = rule(facts);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}
