// Examples over time: counts of each split in equal spans between the first and the last commit.

import type { Split } from "../dataset/example.ts";
import { splits } from "../dataset/store.ts";

export type Span = {
  readonly from: number;
  readonly to: number;
  readonly counts: Readonly<Record<Split, number>>;
};

export type Timeline = {
  /** False where times are stand-ins that only say an order, as in a dataset made of a form of 2022. */
  readonly dated: boolean;
  readonly spans: readonly Span[];
};

const MOST_SPANS = 60;
/** Before git, and before any time that a stand-in has: 2001. */
const LEAST_DATE = 1e9;

export function timelineOf(times: Readonly<Record<Split, readonly number[]>>): Timeline {
  const [first, last] = extremes(splits.flatMap((split) => [extremes(times[split])]).flat());
  if (first === undefined || last === undefined) return { dated: true, spans: [] };
  const count = Math.min(MOST_SPANS, last - first + 1);
  const width = (last - first + 1) / count;
  const spans = Array.from({ length: count }, (_, i) => ({
    from: first + i * width,
    to: first + (i + 1) * width,
    counts: { train: 0, validation: 0, test: 0 },
  }));
  for (const split of splits) {
    for (const time of times[split]) {
      const at = Math.floor((time - first) / width);
      spans[Math.min(at, count - 1)]!.counts[split]++;
    }
  }
  return { dated: last >= LEAST_DATE, spans };
}

/** Least and greatest, or nothing; a history is too long for `Math.min(...times)`. */
function extremes(times: readonly number[]): number[] {
  if (times.length === 0) return [];
  let [least, most] = [times[0]!, times[0]!];
  for (const time of times) {
    least = Math.min(least, time);
    most = Math.max(most, time);
  }
  return [least, most];
}
