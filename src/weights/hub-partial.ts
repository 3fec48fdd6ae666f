// A file that is arriving: its beginning on disk, with the hash of it, so that a cut download goes on and a damaged one
// never gets its name. It knows no connection.

import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { UserError } from "../base/errors.ts";
import type { HubFile } from "./hub.ts";

const PIECE = 1024 * 1024;

/** The beginning of a file and the hash of it; what an earlier run left is taken over. */
export class PartialFile {
  readonly file: HubFile;
  readonly #path: string;
  #handle: number | undefined;
  #hash: Hash;
  #length = 0;

  constructor(path: string, file: HubFile) {
    this.file = file;
    this.#path = path;
    this.#hash = startHash(file);
    const handle = openSync(path, existsSync(path) ? "r+" : "w+");
    this.#handle = handle;
    const size = fstatSync(handle).size;
    if (size > file.size) this.restart();
    else this.#takeOver(handle, size);
  }

  get length(): number {
    return this.#length;
  }

  #takeOver(handle: number, size: number): void {
    const buffer = Buffer.alloc(Math.min(PIECE, size));
    while (this.#length < size) {
      const count = readSync(handle, buffer, 0, Math.min(PIECE, size - this.#length), this.#length);
      if (count === 0) break;
      this.#hash.update(buffer.subarray(0, count));
      this.#length += count;
    }
  }

  restart(): void {
    ftruncateSync(this.#handle!, 0);
    this.#hash = startHash(this.file);
    this.#length = 0;
  }

  append(piece: Uint8Array): void {
    if (this.#length + piece.length > this.file.size) {
      this.#refuse(`${this.file.size} bytes`, "more");
    }
    for (let at = 0; at < piece.length; ) {
      at += writeSync(this.#handle!, piece, at, piece.length - at, this.#length + at);
    }
    this.#hash.update(piece);
    this.#length += piece.length;
  }

  /** Gives the file its name, or removes it when it is not what the hub said. */
  finish(path: string): void {
    const found = this.#hash.digest("hex");
    if (found !== this.file.hash) this.#refuse(`the hash ${this.file.hash}`, found);
    fsyncSync(this.#handle!);
    this.close();
    renameSync(this.#path, path);
  }

  close(): void {
    if (this.#handle !== undefined) closeSync(this.#handle);
    this.#handle = undefined;
  }

  #refuse(wanted: string, found: string): never {
    rmSync(this.#path, { force: true });
    throw new UserError(
      `Expected ${wanted} for ${this.file.name}, found ${found}: it was damaged on the way and removed, run this again`,
    );
  }
}

/** sha256 of the bytes, or sha1 as git counts a blob. */
function startHash({ hash, size }: HubFile): Hash {
  return hash.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}
