// Reads a file line by line without holding it whole. Lines end at "\n" and nowhere else: U+2028 and "\r" are
// plain characters of JSON strings.

import { closeSync, openSync, readSync } from "node:fs";
import { UserError } from "../base/errors.ts";

const CHUNK = 1 << 18;

/** The lines of a UTF-8 file, without their "\n"; the file is closed when the reader stops. */
export function* readLines(path: string): Generator<string> {
  const handle = open(path);
  try {
    let rest: Uint8Array[] = [];
    for (let chunk = readChunk(handle); chunk.length > 0; chunk = readChunk(handle)) {
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        yield Buffer.concat([...rest, chunk.subarray(start, end)]).toString();
        rest = [];
        start = end + 1;
      }
      if (start < chunk.length) rest.push(chunk.subarray(start));
    }
    if (rest.length > 0) yield Buffer.concat(rest).toString();
  } finally {
    closeSync(handle);
  }
}

function open(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw new UserError(`Expected a readable file at ${path}, found none: ${(error as Error).message}`);
  }
}

function readChunk(handle: number): Buffer {
  const chunk = Buffer.allocUnsafe(CHUNK);
  return chunk.subarray(0, readSync(handle, chunk, 0, CHUNK, null));
}
