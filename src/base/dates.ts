// Days and times of options, in ISO 8601 and UTC, as seconds since 1970.

import { UsageError } from "./errors.ts";

const DAY = 86_400;
const FORM = /^(\d{4}-\d{2}-\d{2})(?:(T\d{2}:\d{2}(?::\d{2})?)(Z|[+-]\d{2}:\d{2})?)?$/;

/** What a date such as 2021-06-01 or 2021-06-01T12:00:00Z stands for, its first and its last second. */
export type Span = { readonly first: number; readonly last: number };

/** Reads the date of option `name`; without a time it is the whole day, without a zone UTC. Throws `UsageError`. */
export function parseDate(name: string, text: string): Span {
  const [, day, time, zone] = FORM.exec(text.trim()) ?? [];
  const first = Date.parse(`${day}${time ?? "T00:00"}${zone ?? "Z"}`) / 1000;
  if (day === undefined || Number.isNaN(first) || !isDay(day)) {
    throw new UsageError(
      `Expected a date such as 2021-06-01 or 2021-06-01T12:00:00Z for --${name}, found "${text}"`,
    );
  }
  return { first, last: time === undefined ? first + DAY - 1 : first };
}

/** False for 31 February, which `Date.parse` takes for a day in March. */
function isDay(day: string): boolean {
  return new Date(Date.parse(`${day}T00:00Z`)).toISOString().startsWith(day);
}
