// The options of reading a history, and what they say to the readers of it: which commits, and how large is too large.
// Dates are UTC; a day without a time of day is the whole day, on both sides.

import { parseDate } from "../base/dates.ts";
import { UsageError } from "../base/errors.ts";
import type { OptionTable, Values } from "../base/options.ts";
import { splitOptions } from "../dataset/split.ts";
import { filterOptions } from "../filters/options.ts";
import type { LogOptions } from "./log.ts";
import type { Selection } from "./order.ts";

/** The options of reading a history. */
export const historyOptions = {
  max_file_bytes: {
    type: "bytes",
    default: 65536,
    help: "Leave out changes whose old content or whose diff is larger than this",
    value: "SIZE",
    least: 1,
  },
  merges: {
    type: "string",
    default: "none",
    choices: ["none", "first-parent"],
    help: "none: all commits but merges; first-parent: what is checked out and its first parents, each merge as the change that it made there",
  },
  max_commits: {
    type: "integer",
    default: null,
    help: "Read only the newest so many commits",
    unset: "all",
    value: "N",
    least: 1,
  },
  since: {
    type: "string",
    default: null,
    help: "Read only what was committed on this day or later, or from this second on",
    unset: "from the first commit",
    value: "DATE",
  },
  until: {
    type: "string",
    default: null,
    help: "Read only what was committed on this day or earlier, or up to this second",
    unset: "to the newest",
    value: "DATE",
  },
  jobs: {
    type: "integer",
    default: null,
    help: "Threads that judge changes beside the one that reads them; what comes out is the same",
    unset: "by the processor's cores",
    value: "N",
    least: 0,
  },
  ...filterOptions,
  ...splitOptions,
} as const satisfies OptionTable;

export type HistoryOptions = Values<typeof historyOptions>;

/** The options of reading alone, from values that may hold those of a whole command. */
export function pickHistoryOptions(values: HistoryOptions): HistoryOptions {
  const names = Object.keys(historyOptions) as (keyof HistoryOptions)[];
  return Object.fromEntries(names.map((name) => [name, values[name]])) as HistoryOptions;
}

// git finds no differences in contents above this, which keeps a huge text file from taking seconds and memory.
const LEAST_BIG_FILE = 1024 * 1024;

/** How the log is read for these options. */
export function logOptionsOf(options: HistoryOptions, signal?: AbortSignal): LogOptions {
  return {
    firstParent: options.merges === "first-parent",
    maxSectionBytes: options.max_file_bytes,
    bigFileBytes: Math.max(LEAST_BIG_FILE, options.max_file_bytes),
    signal,
  };
}

/** Which commits these options choose; throws a `UsageError` for a date that is none and for an end before the begin. */
export function selectionOf({ merges, max_commits, ...dates }: HistoryOptions): Selection {
  const since = dates.since === null ? null : parseDate("since", dates.since).first;
  const until = dates.until === null ? null : parseDate("until", dates.until).last;
  if (since !== null && until !== null && since > until) {
    throw new UsageError(
      `Expected a date for --since that is not later than that for --until, found --since ${dates.since} --until ${dates.until}; exchange them`,
    );
  }
  return { firstParent: merges === "first-parent", maxCommits: max_commits, since, until };
}
