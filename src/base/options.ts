// Option tables: one home for each default. A table gives the TypeScript type, the flags, the help text and the
// documentation of its options; an unknown key is an error with a suggestion.

import { UsageError } from "./errors.ts";

/** One option. `default` also gives its type; `null` with a `type` means "not set". */
export type Option = {
  readonly type: "string" | "number" | "integer" | "boolean" | "strings" | "duration" | "bytes";
  readonly default: string | number | boolean | readonly string[] | null;
  readonly help: string;
  /** What stands for the value in `--help`, such as DIR. */
  readonly value?: string;
  /** The only values allowed. */
  readonly choices?: readonly string[];
  /** What it amounts to when not given, in words, where the default itself does not say. */
  readonly unset?: string;
  /** The smallest number allowed. */
  readonly least?: number;
  readonly short?: string;
};

export type OptionTable = Readonly<Record<string, Option>>;

type ValueOf<O extends Option> = O["type"] extends "number" | "integer" | "duration" | "bytes"
  ? number
  : O["type"] extends "boolean"
    ? boolean
    : O["type"] extends "strings"
      ? readonly string[]
      : string;

/** The values of a table: `duration` is seconds, `bytes` is bytes. */
export type Values<T extends OptionTable> = {
  readonly [K in keyof T]: T[K]["default"] extends null ? ValueOf<T[K]> | null : ValueOf<T[K]>;
};

/** Every default of a table. */
export function defaultsOf<T extends OptionTable>(table: T): Values<T> {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, option.default]),
  ) as Values<T>;
}

const SECONDS: ReadonlyMap<string, number> = new Map(Object.entries({ s: 1, m: 60, h: 3600, d: 86400 }));
const BYTES: ReadonlyMap<string, number> = new Map(
  Object.entries({ "": 1, kb: 1e3, mb: 1e6, gb: 1e9, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 }),
);

/** The value that a flag's text stands for; throws `UsageError` naming the option and what it takes. */
export function parseValue(name: string, option: Option, text: string): string | number {
  if (option.choices && !option.choices.includes(text))
    fail(name, `one of ${option.choices.join(", ")}`, text);
  const value = parseText(name, option, text);
  if (typeof value === "string" || value >= (option.least ?? -Infinity)) return value;
  return fail(name, `${WANTED[option.type] ?? "a number"} of at least ${option.least}`, text);
}

const WANTED: Readonly<Partial<Record<Option["type"], string>>> = {
  integer: "a whole number",
  duration: "a duration",
  bytes: "a size",
};

function parseText(name: string, option: Option, text: string): string | number {
  switch (option.type) {
    case "number":
      return parseNumber(name, "a number such as 3e-4", text);
    case "integer": {
      const value = parseNumber(name, "a whole number", text);
      return Number.isInteger(value) ? value : fail(name, "a whole number", text);
    }
    case "duration":
      return parseWithUnit(name, { units: SECONDS, wanted: "a duration such as 90s, 20m or 1h" }, text);
    case "bytes":
      return parseWithUnit(name, { units: BYTES, wanted: "a size such as 800MB or 2GB" }, text);
    default:
      return text;
  }
}

function parseNumber(name: string, wanted: string, text: string): number {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? value : fail(name, wanted, text);
}

function parseWithUnit(
  name: string,
  unit: { units: ReadonlyMap<string, number>; wanted: string },
  text: string,
): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = match
    ? (unit.units.get(match[2]!.toLowerCase()) ?? (match[2] === "" ? 1 : undefined))
    : undefined;
  return factor === undefined ? fail(name, unit.wanted, text) : Number(match![1]) * factor;
}

function fail(name: string, wanted: string, found: string): never {
  throw new UsageError(`Expected ${wanted} for --${name}, found "${found}"`);
}

/** The nearest of `names` to `name` by edit distance, if one is near enough to be a slip of the hand. */
export function nearestName(name: string, names: Iterable<string>): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const candidate of names) {
    const distance = editDistance(name, candidate);
    if (
      distance <= Math.max(1, Math.floor(name.length / 3)) &&
      (best === undefined || distance < best.distance)
    ) {
      best = { name: candidate, distance };
    }
  }
  return best?.name;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
