// Walks over the header of a GGUF file front to back, reading the file in pieces. A length that the rest of
// the file cannot hold is refused before anything is allocated for it.

import { UserError } from "../base/errors.ts";
import type { ReadableFile } from "./file.ts";

const PIECE = 1024 * 1024;

export class HeaderCursor {
  readonly file: ReadableFile;
  position = 0;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;

  constructor(file: ReadableFile) {
    this.file = file;
  }

  /** The next `length` bytes, valid until the next call. */
  take(length: number): Buffer {
    this.expect(length);
    if (this.position + length > this.#windowStart + this.#window.length) this.#refill(length);
    const at = this.position - this.#windowStart;
    this.position += length;
    return this.#window.subarray(at, at + length);
  }

  /** Throws when fewer than `length` bytes are left. */
  expect(length: number): void {
    if (length > this.file.size - this.position) throw this.cutShort(this.position + length);
  }

  uint32(): number {
    return this.take(4).readUInt32LE(0);
  }

  /** A 64-bit count of at most `limit`; `what` completes "at most … ". */
  count(what: string, limit: number): number {
    const found = this.take(8).readBigUInt64LE(0);
    if (found > BigInt(limit)) throw this.damaged(`at most ${limit} ${what}, found ${found}`);
    return Number(found);
  }

  string(what: string, limit: number): string {
    const length = this.count(`bytes in ${what}`, limit);
    return this.take(length).toString("utf8");
  }

  /** `wanted` completes "In the GGUF header of FILE, expected …". */
  damaged(wanted: string): UserError {
    return new UserError(
      `In the GGUF header of ${this.file.path}, expected ${wanted}: the file is damaged, get it again`,
    );
  }

  cutShort(expected: number): UserError {
    const { path, size } = this.file;
    return new UserError(
      `Expected at least ${expected} bytes in ${path}, found ${size}: the file is cut short, get it again`,
    );
  }

  #refill(length: number): void {
    const size = Math.min(Math.max(length, PIECE), this.file.size - this.position);
    this.#window = Buffer.alloc(size);
    this.#windowStart = this.position;
    this.file.readInto(this.#window, this.position);
  }
}
