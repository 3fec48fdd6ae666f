// Options from a file: one JSON object with the names of the flags. It is read like flags are, so that a mistake is
// told the same way; a flag goes before the file.

import { UsageError } from "../base/errors.ts";
import { readJson } from "../base/files.ts";
import { nearestName, type Option, type OptionTable, parseValue } from "../base/options.ts";
import { oursOf, spellingOf } from "./spellings.ts";

export type Config = {
  readonly values: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
};

/** The values of a file for a table of options; throws one sentence for what is wrong with it. */
export function readConfig(path: string, table: OptionTable): Config {
  const content = readJson(path);
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new UsageError(`Expected an object of options in ${path}, such as {"max_steps": 200}, found none`);
  }
  const values: Record<string, unknown> = {};
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(content)) {
    const written = key.replaceAll("-", "_");
    const spelling = spellingOf(written, table);
    if (spelling) warnings.push(spelling.warning);
    if (spelling?.kind === "needless") continue;
    const name = spelling?.name ?? written;
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (option === undefined) throw unknownKey(key, table, path);
    if (value !== null) values[name] = readValue(name, option, value);
  }
  return { values, warnings };
}

function unknownKey(key: string, table: OptionTable, path: string): UsageError {
  const near = nearestName(key, Object.keys(table));
  return new UsageError(
    `Expected options in ${path}, found "${key}"${near ? `: did you mean ${near}?` : ", which is none"}`,
  );
}

function readValue(name: string, option: Option, value: unknown): unknown {
  if (option.type === "boolean") {
    if (typeof value === "boolean") return value;
  } else if (option.type === "strings") {
    const items = Array.isArray(value) ? value : [value];
    if (items.every(isText)) return items.map((item) => String(parseValue(name, option, String(item))));
  } else if (isText(value)) {
    return parseValue(name, option, oursOf(name, String(value)));
  }
  const wanted = option.type === "boolean" ? "true or false" : "a text or a number";
  throw new UsageError(`Expected ${wanted} for ${name}, found ${JSON.stringify(value)}`);
}

function isText(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}
