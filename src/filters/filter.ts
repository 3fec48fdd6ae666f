// The filters put together: what a person asked for with options, then the named rules of the other files here. Knows
// neither git nor datasets; it is told facts and answers with a verdict, or with nothing when a change may stay.

import { readAttributes } from "./attributes.ts";
import { judgeGenerated, judgeMinified, judgeWhitespace } from "./contents.ts";
import { weighMessage } from "./message.ts";
import type { FilterOptions, RepositoryRules } from "./options.ts";
import {
  type AttributeOf,
  createRecordFilter,
  firstVerdict,
  type IsOn,
  isDenied,
  type Judge,
  perCommit,
  type RecordFilter,
} from "./record.ts";
import { createScanner } from "./secrets.ts";
import type { ChangeFacts, CommitFacts, FilterName, Verdict } from "./verdict.ts";

export type Filter = Omit<RecordFilter, "isForced"> & {
  /** Of contents, message and name: secrets last, and for files that are forced in too. */
  byContent(commit: CommitFacts, change: ChangeFacts): Verdict | undefined;
  /** How much an example of this commit counts, 0.25 to 1, by its message. */
  weigh(commit: CommitFacts): number;
};

/** The filter that options and a repository's own rules make. */
export function createFilter(options: FilterOptions, repository: RepositoryRules): Filter {
  const isOn = (name: FilterName) => !options.keep.includes(name);
  const { isForced, ...record } = createRecordFilter(options, repository);
  const weigh = perCommit(({ message }) => (isOn("message-quality") ? weighMessage(message) : 1));
  const judgeContent = contentJudge(readAttributes(repository.attributes), isOn);
  const scanner = isOn("secret") ? createScanner() : undefined;
  return {
    ...record,
    byContent: (commit, change) =>
      (isForced(change.path) ? undefined : judgeContent(change)) ?? scanner?.scan(commit, change),
    weigh,
  };
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
