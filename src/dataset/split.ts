// Cuts a history into train, validation and test by time: the oldest commits train, the newest test, and all files
// of a commit stand on one side. Changes that a side shares with an earlier one are found, so that none is counted
// as learned when it was only remembered.

import { createHash } from "node:crypto";
import type { Example, Split } from "./example.ts";

/** Parts of all commits, between 0 and 1; the rest trains. */
export type Shares = { readonly validation: number; readonly test: number };

/** A tenth of the commits to measure on, half as many to watch the learning by. */
export const DEFAULT_SHARES: Shares = { validation: 0.05, test: 0.1 };

/** The side of each commit, from commits in order, oldest first. From three commits on no side is empty. */
export function splitByTime(
  commitsInOrder: readonly string[],
  shares: Shares = DEFAULT_SHARES,
): ReadonlyMap<string, Split> {
  const count = commitsInOrder.length;
  const least = count >= 3 ? 1 : 0;
  const test = clamp(Math.round(count * shares.test), least, Math.max(0, count - 2 * least));
  const validation = clamp(Math.round(count * shares.validation), least, Math.max(0, count - least - test));
  const sideOf = (index: number): Split => {
    if (index >= count - test) return "test";
    return index >= count - test - validation ? "validation" : "train";
  };
  return new Map(commitsInOrder.map((commit, index) => [commit, sideOf(index)]));
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

const RANKS: Readonly<Record<Split, number>> = { train: 0, validation: 1, test: 2 };

/**
 * Returns a function that takes every example with its side, sides in order of time, and says what an example
 * shares with one of an earlier side: "same example" or "same changed lines"; `undefined` if nothing.
 */
export function createDuplicateCheck(): (example: Example, split: Split) => string | undefined {
  const seen = new Map<string, number>();
  const isEarlier = (key: string, rank: number) => {
    const first = seen.get(key);
    if (first === undefined) seen.set(key, rank);
    return first !== undefined && first < rank;
  };
  return (example, split) => {
    const rank = RANKS[split];
    const whole = digest(["whole", example.path, example.old ?? "no file", example.diff]);
    const lines = changedLines(example.diff);
    const sameExample = isEarlier(whole, rank);
    const sameLines = lines.length > 0 && isEarlier(digest(["lines", ...lines]), rank);
    if (sameExample) return "same example";
    return sameLines ? "same changed lines" : undefined;
  };
}

/** The `+` and `-` lines of a diff, signs included. */
function changedLines(diff: string): string[] {
  const start = diff.indexOf("\n@@ ");
  return start < 0
    ? []
    : diff
        .slice(start + 1)
        .split("\n")
        .filter((line) => line[0] === "+" || line[0] === "-");
}

function digest(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64").slice(0, 24);
}
