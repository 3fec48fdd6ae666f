// Source text that a person gives: small enough for any context, and text at all. Knows no model.

import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { UserError } from "../base/errors.ts";

/** No context holds this much; reading more would only cost memory. */
const MOST_BYTES = 16 * 1024 * 1024;

/** The text of a file of that size. */
export function readSource(path: string, size: number): string {
  requireSize(size, path);
  try {
    return decodeSource(readFileSync(path), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UserError(`Expected a readable file at ${path}, found none: ${(error as Error).message}`);
  }
}

export function requireSize(size: number, place: string): void {
  if (size <= MOST_BYTES) return;
  throw new UserError(
    `Expected at most 16 MiB in ${place}, found more, which no model's context holds; name a shorter file`,
  );
}

/** As git does it: a NUL near the beginning makes a file binary, whatever the rest. */
export function decodeSource(bytes: Buffer, place: string): string {
  if (isUtf8(bytes) && !bytes.subarray(0, 8000).includes(0)) return bytes.toString("utf8");
  throw new UserError(`Expected UTF-8 text in ${place}, found other bytes; only text can be changed`);
}
