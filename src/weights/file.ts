// One file opened for positioned reads, and sha256 over files. Nothing here knows a format; a file larger than
// memory is read in pieces, and only the pieces that are asked for.

import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { UserError } from "../base/errors.ts";

const CHUNK = 4 * 1024 * 1024;

export class ReadableFile {
  readonly path: string;
  readonly size: number;
  #handle: number | undefined;

  constructor(path: string) {
    this.path = path;
    try {
      this.#handle = openSync(path, "r");
    } catch (error) {
      throw new UserError(`Expected a readable file at ${path}, found none: ${(error as Error).message}`);
    }
    const stat = fstatSync(this.#handle);
    this.size = stat.size;
    if (!stat.isFile()) {
      this.dispose();
      throw new UserError(
        `Expected a file at ${path}, found something else: give the path of a regular file`,
      );
    }
  }

  /** Fills `target` with the bytes that start at `position`. */
  readInto(target: Uint8Array, position: number): void {
    if (this.#handle === undefined) throw new Error(`${this.path} was read after it was closed`);
    for (let done = 0; done < target.length; ) {
      const length = Math.min(target.length - done, 64 * CHUNK);
      const count = readSync(this.#handle, target, done, length, position + done);
      if (count === 0) throw this.#shorter(position + target.length, position + done);
      done += count;
    }
  }

  /** At most the first `length` bytes. */
  head(length: number): Buffer {
    const bytes = Buffer.alloc(Math.min(length, this.size));
    this.readInto(bytes, 0);
    return bytes;
  }

  dispose(): void {
    if (this.#handle !== undefined) closeSync(this.#handle);
    this.#handle = undefined;
  }

  #shorter(expected: number, found: number): UserError {
    return new UserError(
      `Expected at least ${expected} bytes in ${this.path}, found ${found}: the file changed while it was read, try again`,
    );
  }
}

/** sha256 over the bytes of the files, one after another, hex. */
export function hashFiles(paths: readonly string[]): string {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(CHUNK);
  for (const path of paths) {
    const file = new ReadableFile(path);
    try {
      for (let position = 0; position < file.size; position += CHUNK) {
        const piece = buffer.subarray(0, Math.min(CHUNK, file.size - position));
        file.readInto(piece, position);
        hash.update(piece);
      }
    } finally {
      file.dispose();
    }
  }
  return hash.digest("hex");
}
