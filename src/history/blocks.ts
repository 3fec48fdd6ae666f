// A file of compressed blocks that grows at its end: a first line that says what it is, then blocks, each with its
// lengths and a check in front and a few plain words about its content. A kill can only break the last block, which
// the next reader cuts off. Format: docs/formats.md. Knows nothing of what the content is.

import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { describeWriteFailure, makeFolder } from "../base/files.ts";

/** A block as the file's index has it. */
export type Block = {
  /** What the writer said of it. */
  readonly label: unknown;
  readonly offset: number;
  readonly length: number;
};

export type BlockFile = {
  /** The whole blocks, in order. */
  readonly blocks: readonly Block[];
  read(block: Block): Buffer;
  append(label: unknown, raw: Buffer): void;
  /** Forgets the blocks from number `count` on. */
  cut(count: number): void;
  close(): void;
};

const LENGTHS = 8;
const CHECK = 16;
const HEAD = LENGTHS + CHECK;
// Bytes of output at a time.
const CHUNK = 1 << 20;
// A block that claims to hold more is not one of ours.
const MOST_BYTES = 1 << 30;
// Quality 1 with a window that holds a block: small at some 350 MB/s, where 2 takes twice the time for a fifteenth less. In this thread, which mostly waits: in the pool's, each thread would keep an encoder's memory.
const SETTINGS = {
  [constants.BROTLI_PARAM_QUALITY]: 1,
  [constants.BROTLI_PARAM_LGWIN]: 20,
};

/** Opens the file at `path` for a writer that says `title` of it; one with another title is begun anew. */
export function openBlocks(path: string, title: string): BlockFile {
  try {
    makeFolder(dirname(path));
    const handle = openSync(path, existsSync(path) ? "r+" : "wx+");
    const first = Buffer.from(`${title}\n`);
    const known = readAt(handle, 0, first.length).equals(first);
    if (!known) {
      ftruncateSync(handle, 0);
      writeSync(handle, first, 0, first.length, 0);
    }
    const { blocks, end } = readIndex(handle, first.length);
    ftruncateSync(handle, end);
    return blockFile({ path, handle }, blocks, end);
  } catch (error) {
    throw describeWriteFailure(path, error);
  }
}

type OpenFile = { readonly path: string; readonly handle: number };

function blockFile({ path, handle }: OpenFile, blocks: Block[], end: number): BlockFile {
  let at = end;
  const write = (label: unknown, body: Buffer) => {
    const bytes = frame(label, body);
    for (let done = 0; done < bytes.length; )
      done += writeSync(handle, bytes, done, bytes.length - done, at + done);
    blocks.push({ label, offset: at + bytes.length - body.length, length: body.length });
    at += bytes.length;
  };
  return {
    blocks,
    read: ({ offset, length }) =>
      brotliDecompressSync(readAt(handle, offset, length), { maxOutputLength: MOST_BYTES }),
    append(label, raw) {
      const params = { ...SETTINGS, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length };
      try {
        write(label, brotliCompressSync(raw, { params, chunkSize: CHUNK }));
      } catch (error) {
        throw describeWriteFailure(path, error);
      }
    },
    cut(count) {
      const cut = blocks.splice(count)[0];
      if (cut !== undefined) at = cut.offset - HEAD - labelBytes(cut.label).length;
      ftruncateSync(handle, at);
    },
    close: () => closeSync(handle),
  };
}

function labelBytes(label: unknown): Buffer {
  return Buffer.from(JSON.stringify(label));
}

/** Length of the label, length of the body, check of both, label, body. */
function frame(label: unknown, body: Buffer): Buffer {
  const words = labelBytes(label);
  const lengths = Buffer.alloc(LENGTHS);
  lengths.writeUInt32LE(words.length, 0);
  lengths.writeUInt32LE(body.length, 4);
  return Buffer.concat([lengths, checkOf(words, body), words, body]);
}

function checkOf(words: Uint8Array, body: Uint8Array): Buffer {
  return createHash("sha256").update(words).update(body).digest().subarray(0, CHECK);
}

/** Whole blocks from `start` on, and where the first broken one begins. */
function readIndex(handle: number, start: number): { blocks: Block[]; end: number } {
  const { size } = fstatSync(handle);
  const blocks: Block[] = [];
  let end = start;
  while (end + HEAD <= size) {
    const head = readAt(handle, end, HEAD);
    const [words, body] = [head.readUInt32LE(0), head.readUInt32LE(4)];
    if (end + HEAD + words + body > size) break;
    const bytes = readAt(handle, end + HEAD, words + body);
    const label = bytes.subarray(0, words);
    if (!checkOf(label, bytes.subarray(words)).equals(head.subarray(LENGTHS))) break;
    blocks.push({ label: JSON.parse(label.toString()), offset: end + HEAD + words, length: body });
    end += HEAD + words + body;
  }
  return { blocks, end };
}

/** The bytes from `offset` on, fewer at the end of the file. */
function readAt(handle: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  for (let count = -1; count !== 0 && filled < length; filled += count) {
    count = readSync(handle, bytes, filled, length - filled, offset + filled);
  }
  return bytes.subarray(0, filled);
}
