// The command line of a bench: the options of all benches and its own, from one table. Knows no bench.

import { parseArgs } from "node:util";
import { UsageError } from "../src/base/errors.ts";
import { defaultsOf, nearestName, type OptionTable, parseValue, type Values } from "../src/base/options.ts";

export const COMMON = {
  runs: { type: "integer", default: null, help: "Times that each side is measured, in turn", value: "N" },
  venv: { type: "string", default: null, help: "Python environment with the peers", value: "DIR" },
  json: { type: "boolean", default: false, help: "Print the result alone, nothing on stderr" },
} as const satisfies OptionTable;

export type BenchValues = Values<typeof COMMON> & Readonly<Record<string, unknown>>;

/** Values of all options, defaults filled in, and what stood there besides options; throws `UsageError`. */
export function readArguments(
  bench: { readonly options: OptionTable; readonly takes: string | null },
  tokens: readonly string[],
): { values: BenchValues; places: readonly string[] } {
  const table: OptionTable = { ...bench.options, ...COMMON };
  const given: Record<string, unknown> = {};
  const { values, positionals } = parseTokens(table, tokens);
  for (const [name, value] of Object.entries(values)) {
    const option = table[name];
    if (!option) throw unknownOption(name, table);
    if (value === undefined) throw new UsageError(`Expected a value for --${name}, found none`);
    given[name] = typeof value === "string" ? parseValue(name, option, value) : value;
  }
  if (positionals.length > 0 && bench.takes === null) {
    throw new UsageError(`Expected options only, found "${positionals.join(" ")}"`);
  }
  return { values: { ...defaultsOf(table), ...given } as BenchValues, places: positionals };
}

function parseTokens(table: OptionTable, tokens: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { type }]) => [
      name,
      { type: type === "boolean" ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  const settings = {
    args: [...tokens],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  } as const;
  const { tokens: parts, positionals } = parseArgs(settings);
  const named = parts.flatMap((part) =>
    part.kind === "option"
      ? [[part.name, options[part.name]?.type === "boolean" ? true : part.value] as const]
      : [],
  );
  return { values: Object.fromEntries(named), positionals };
}

function unknownOption(name: string, table: OptionTable): UsageError {
  const known = Object.keys(table);
  const near = nearestName(name, known);
  return new UsageError(
    `Expected one of the options --${known.join(", --")}, found --${name}${near ? `; did you mean --${near}?` : ""}`,
  );
}
