// The first line of a file of JSON lines, to know a form by. Reads only so much of the file, and never fails.

import { existsSync, statSync } from "node:fs";
import { readLines } from "../dataset/lines.ts";

/** The object on the first line; undefined where there is none. */
export function firstRecord(path: string): Readonly<Record<string, unknown>> | undefined {
  if (!existsSync(path) || !statSync(path).isFile()) return undefined;
  for (const line of readLines(path)) return parseRecord(line);
  return undefined;
}

/** The object that a line holds; undefined for a line that is not one. */
export function parseRecord(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
