// Which side each commit of a history stands on, and in what words one is refused that is too small, or chosen too
// narrowly, to learn from its older part and measure on its newest. Knows nothing of files.

import { UserError } from "../base/errors.ts";
import type { Split } from "../dataset/example.ts";
import { divideCommits, type PlacedCommit } from "../dataset/split.ts";
import { splits } from "../dataset/store.ts";
import type { HarvestResult } from "./harvest.ts";
import { type HistoryOptions, selectionOf } from "./options.ts";
import { type Commit, canHaveExamples, type Listing } from "./order.ts";
import type { Shadow } from "./shadow.ts";

/** What is read, and how it was chosen. */
type Source = { readonly repository: string; readonly shadow: Shadow; readonly options: HistoryOptions };

/** Examples of each side. */
export type Counts = Record<Split, number>;

/** The side of each commit that can have examples; at least one for each: to learn from, to watch the learning by, and
 * to measure it on. */
export function sidesOf(
  { reachable, selected }: Listing,
  { shadow, options, repository }: Source,
): ReadonlyMap<string, Split> {
  const selection = selectionOf(options);
  const sided = selected.filter((commit) => canHaveExamples(commit, shadow, selection));
  if (sided.length >= splits.length) return divideCommits(placed(sided), options);
  const found = describeFew(selected, sided.length, shadow);
  const advice =
    selected.length < reachable.length
      ? `${print(reachable.length)} can be read, choose more of them with --since, --until and --max_commits`
      : moreHistory(shadow);
  throw new UserError(
    `Expected at least ${splits.length} commits in ${repository}, to learn from the older and measure on the newer, found ${found}; ${advice}`,
  );
}

/** How many commits can be used, and what the others are. */
function describeFew(selected: readonly Commit[], used: number, shadow: Shadow): string {
  const edge = selected.filter(({ hash }) => shadow.shallow.has(hash)).length;
  const merges = selected.length - edge - used;
  const others = [
    ...(merges > 0 ? [`${merges} that ${merges === 1 ? "is a merge" : "are merges"}`] : []),
    ...(edge > 0 ? [`${edge} at the edge of what was cloned, whose changes cannot be known`] : []),
  ];
  return others.length === 0 ? `${used}` : `${used} beside ${others.join(" and ")}`;
}

/** Where clocks are wrong, a commit counts as made when the ones before it were. */
function placed(commits: readonly Commit[]): PlacedCommit[] {
  let latest = 0;
  return commits.map(({ hash, time }) => {
    latest = Math.max(latest, time);
    return { hash, time: latest };
  });
}

type Left = Source & Pick<HarvestResult, "dropped">;

/** Without examples to learn from, or to measure on, a dataset is of no use; better to say so before it is one. */
export function requireSides({ train, test }: Counts, left: Left): void {
  if (train > 0 && test > 0) return;
  throw new UserError(
    `Expected changes to text files in both the older and the newest commits of ${left.repository}, found ${print(train)} examples to learn from and ${print(test)} to measure on; ${whatLeavesNone(left)}`,
  );
}

/** What to do about it: what a person chose comes first. */
function whatLeavesNone({ shadow, options, dropped }: Left): string {
  const chosen = (dropped.excluded ?? 0) + (dropped.author ?? 0);
  if (chosen > 0) {
    return `${print(chosen)} changes are left out by --include, --exclude, .codefudgeignore, --author or --exclude_author, choose fewer`;
  }
  return options.test_since === null ? moreHistory(shadow) : "choose another day for --test_since";
}

function moreHistory(shadow: Shadow): string {
  return shadow.shallow.size > 0
    ? 'this clone is shallow, run "git fetch --unshallow" there and this again'
    : "take a repository with more history";
}

function print(count: number): string {
  return count.toLocaleString("en-US");
}
