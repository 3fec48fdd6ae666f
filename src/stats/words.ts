// Numbers and times of a summary as both renderings show them, and names from a repository made harmless.

import { showText } from "../base/show.ts";
import type { LeakShare } from "../dataset/leak.ts";
import { asideReasons } from "../dataset/split.ts";
import { splits } from "../dataset/store.ts";
import type { Summary } from "./summary.ts";

export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** The day in UTC; the place in the order where times are stand-ins. */
export function day(seconds: number, dated: boolean): string {
  if (!dated) return `no. ${count(seconds + 1)}`;
  const date = new Date(1000 * seconds);
  return Number.isNaN(date.getTime()) ? "?" : date.toISOString().slice(0, 10);
}

export type Rows = readonly (readonly [name: string, value: string])[];

/** What was read and what became of it. */
export function counterRows({ counters, created }: Summary): Rows {
  const { commits = 0, merges = 0, records = 0, examples = 0, ...dropped } = counters;
  const head = created["head"];
  const fixed: Rows = [
    ["commits", `${count(commits)}, ${count(merges)} of them merges`],
    ["changed files", count(records)],
    ["examples", count(examples)],
  ];
  const reasons = Object.entries(dropped)
    .filter(([, value]) => value > 0)
    .map(([reason, value]) => [`left out: ${showText(reason)}`, count(value)] as const);
  return [
    ...fixed,
    ...reasons,
    ...(typeof head === "string" ? [["newest commit", showText(head)] as const] : []),
  ];
}

export const splitTitles = [
  "split",
  "examples",
  "commits",
  "from",
  "to",
  "median",
  "95 %",
  "largest",
] as const;

/** A row for each split: counts, time, and sizes in the summary's unit. */
export function splitRows({ splits: all, timeline: { dated } }: Summary): string[][] {
  return splits.map((split) => {
    const { examples, commits, first, last, size } = all[split];
    const time = (value: number | null) => (value === null ? "" : day(value, dated));
    const sizes = [size.median, size.ninetyFive, size.most].map(count);
    return [split, count(examples), count(commits), time(first), time(last), ...sizes];
  });
}

export const movedTitles = ["because an older side has it", "validation", "test"] as const;

/** What was set aside from the newer sides, by reason; no rows where nothing is known of it. */
export function movedRows({ moved }: Summary): string[][] {
  if (moved === null) return [];
  const { validation, test } = moved;
  const cells = (pick: (side: typeof test) => number) => [validation, test].map((side) => count(pick(side)));
  return [
    ...asideReasons.map((reason) => [reason, ...cells(({ aside }) => aside[reason])]),
    ["kept", ...cells(({ kept }) => kept)],
  ];
}

export const leakTitles = ["division", "test answers", "known", "share", "known lines"] as const;

/** How much of the test stands in train: here, and had the same examples been divided at random. */
export function leakRows({ leak }: Summary): string[][] {
  return [
    ["this one", ...leakCells(leak.divided)],
    ["at random", ...leakCells(leak.random)],
  ];
}

function leakCells({ answers, knownAnswers, lines, knownLines }: LeakShare): string[] {
  const share = `${((100 * knownAnswers) / Math.max(1, answers)).toFixed(2)} %`;
  return [count(answers), count(knownAnswers), share, percent(knownLines / Math.max(1, lines))];
}

/** What the figures of a leak mean. */
export const LEAK_NOTE =
  "An answer is known when every line of 25 characters or more that it adds stands somewhere in what is learned from";

/** The most frequent languages, the rest as one row. */
export function languageRows({ languages }: Summary, most: number): string[][] {
  const rest = languages.slice(most);
  const sum = (pick: (language: (typeof languages)[number]) => number) =>
    rest.reduce((total, language) => total + pick(language), 0);
  const more = {
    name: `${rest.length} more`,
    examples: sum(({ examples }) => examples),
    share: sum(({ share }) => share),
  };
  const rows = [...languages.slice(0, most), ...(rest.length > 0 ? [more] : [])];
  return rows.map(({ name, examples, share }) => [showText(name), count(examples), percent(share)]);
}

/** What the sizes are of, and how they stand to the model. */
export function sizeNote({ sizes, splits: all }: Summary): string {
  const { unit, format, model, context, over, inexpressible, measured } = sizes;
  const total = splits.reduce((sum, split) => sum + all[split].examples, 0);
  const drawn = measured < total ? ` of ${count(measured)} examples drawn from the splits` : "";
  const what = `Prompt and answer in ${unit}${drawn}, each file whole, in the answer format ${format}`;
  const words = inexpressible === 0 ? "" : `; ${count(inexpressible)} have no words in this format`;
  if (model === null || context === null) return `${what}${words}; give --model to count tokens`;
  const share = percent((over ?? 0) / Math.max(1, measured));
  return `${what}${words}; ${share} are larger than the ${count(context)} that ${showText(model)} looks at, and are shown to it in part`;
}

/** The name of what it was made from, without its place on this disk. */
export function nameOf({ created }: Summary): string {
  const { repository } = created;
  const name =
    typeof repository === "string" ? repository.replace(/[\\/]+$/, "").replace(/^.*[\\/]/, "") : "";
  return name === "" ? "a repository" : showText(name);
}
