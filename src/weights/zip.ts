// The entries of a zip file whose parts are stored as they are, read and written. That is how PyTorch packs arrays,
// so that each can be read at its place. Format: PKWARE APPNOTE 6.3.

import { UserError } from "../base/errors.ts";
import type { ReadableFile } from "./file.ts";

/** A stored entry: where its bytes are. */
export type ZipEntry = { readonly name: string; readonly position: number; readonly bytes: number };

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end's own bytes and the longest comment. */
const LONGEST_END = 22 + 0xffff;
const LARGEST_DIRECTORY = 100_000_000;

/** The entries by name; a `UserError` for what is no such file, is cut off, or is compressed. */
export function readZip(file: ReadableFile): ReadonlyMap<string, ZipEntry> {
  const { start, size, count } = findDirectory(file);
  if (size > LARGEST_DIRECTORY || start + size > file.size)
    throw damaged(file, "a directory within the file");
  const directory = Buffer.alloc(size);
  file.readInto(directory, start);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { entry, next } = readEntry(file, directory, at);
    entries.set(entry.name, entry);
    at = next;
  }
  return entries;
}

function damaged(file: ReadableFile, wanted: string): UserError {
  return new UserError(
    `Expected ${wanted} in ${file.path}, found something else: the file is damaged or no file of PyTorch, fetch it again`,
  );
}

type Directory = { readonly start: number; readonly size: number; readonly count: number };

function findDirectory(file: ReadableFile): Directory {
  const length = Math.min(file.size, LONGEST_END);
  const tail = Buffer.alloc(length);
  file.readInto(tail, file.size - length);
  for (let at = length - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END) continue;
    const found = {
      count: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      start: tail.readUInt32LE(at + 16),
    };
    const large = found.count === 0xffff || found.size === 0xffffffff || found.start === 0xffffffff;
    return large ? findLargeDirectory(file, file.size - length + at) : found;
  }
  throw damaged(file, "the end of a zip file");
}

/** Of a file with more than 4 GB or 65,534 entries. */
function findLargeDirectory(file: ReadableFile, end: number): Directory {
  const locator = Buffer.alloc(20);
  if (end < 20) throw damaged(file, "the end of a zip file");
  file.readInto(locator, end - 20);
  const position = Number(locator.readBigUInt64LE(8));
  const record = Buffer.alloc(56);
  if (locator.readUInt32LE(0) !== LOCATOR64 || position + 56 > end)
    throw damaged(file, "the end of a zip file");
  file.readInto(record, position);
  if (record.readUInt32LE(0) !== END64) throw damaged(file, "the end of a zip file");
  const number = (at: number) => Number(record.readBigUInt64LE(at));
  return { count: number(32), size: number(40), start: number(48) };
}

function readEntry(file: ReadableFile, directory: Buffer, at: number): { entry: ZipEntry; next: number } {
  if (at + 46 > directory.length || directory.readUInt32LE(at) !== CENTRAL) throw damaged(file, "an entry");
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => directory.readUInt16LE(at + o));
  const nameEnd = at + 46 + nameLength!;
  const next = nameEnd + extraLength! + commentLength!;
  if (next > directory.length) throw damaged(file, "an entry");
  const name = directory.toString("utf8", at + 46, nameEnd);
  const encrypted = (directory.readUInt16LE(at + 8) & 1) === 1;
  if (directory.readUInt16LE(at + 10) !== 0 || encrypted)
    throw damaged(file, "entries that are stored as they are");
  const extra = directory.subarray(nameEnd, nameEnd + extraLength!);
  const wide = wideNumbers(extra);
  const number = (offset: number) => {
    const value = directory.readUInt32LE(at + offset);
    return value === 0xffffffff ? wide.next().value : value;
  };
  const bytes = number(24);
  const packed = number(20);
  const local = number(42);
  if (bytes === undefined || local === undefined || packed !== bytes)
    throw damaged(file, "sizes of an entry");
  const position = dataPosition(file, local);
  if (position + bytes > file.size) throw damaged(file, `all of ${name}`);
  return { entry: { name, position, bytes }, next };
}

/** The numbers of 64 bits in an entry's extra field, in their order. */
function* wideNumbers(extra: Buffer): Generator<number, undefined> {
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    for (let i = 0; id === 1 && i + 8 <= length && at + 12 + i <= extra.length; i += 8) {
      yield Number(extra.readBigUInt64LE(at + 4 + i));
    }
    at += 4 + length;
  }
  return undefined;
}

function dataPosition(file: ReadableFile, local: number): number {
  if (local + 30 > file.size) throw damaged(file, "an entry");
  const header = Buffer.alloc(30);
  file.readInto(header, local);
  if (header.readUInt32LE(0) !== LOCAL) throw damaged(file, "an entry");
  return local + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
}

/** One entry to write. */
export type ZipPart = { readonly name: string; readonly data: Uint8Array };

/** PyTorch maps arrays from their files at such places. */
const ALIGNMENT = 64;

/** The bytes of a file with these entries, each stored at an aligned place; the same parts give the same bytes. */
export function* zipParts(parts: Iterable<ZipPart>): Generator<Uint8Array> {
  const central: Buffer[] = [];
  let position = 0;
  for (const { name, data } of parts) {
    const shared = sharedFields(data);
    const path = Buffer.from(name);
    const pad = paddingAt(position + 30 + path.length);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(LOCAL, 0);
    shared.copy(header, 4);
    header.writeUInt16LE(path.length, 26);
    header.writeUInt16LE(pad.length, 28);
    yield header;
    yield path;
    yield pad;
    yield data;
    central.push(centralEntry(path, shared, position));
    position += 30 + path.length + pad.length + data.length;
  }
  yield* central;
  yield endOf(central, position);
}

let crcTable: Uint32Array | undefined;

/** CRC-32 as zip has it; Node has its own only from 20.15 on. */
function crc32(data: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = crcTable[(crc ^ data[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** From "version needed" to "uncompressed size": the same in both headers. No time, so that bytes repeat. */
function sharedFields(data: Uint8Array): Buffer {
  const fields = Buffer.alloc(22);
  fields.writeUInt16LE(20, 0);
  // The first day of zip's calendar.
  fields.writeUInt16LE((1 << 5) | 1, 8);
  fields.writeUInt32LE(crc32(data), 10);
  fields.writeUInt32LE(data.length, 14);
  fields.writeUInt32LE(data.length, 18);
  return fields;
}

/** An extra field that brings what follows it to an aligned place. */
function paddingAt(position: number): Buffer {
  const rest = (position + 4) % ALIGNMENT;
  const length = rest === 0 ? 0 : ALIGNMENT - rest;
  const field = Buffer.alloc(4 + length, "Z");
  field.write("FB", 0, "latin1");
  field.writeUInt16LE(length, 2);
  return field;
}

function centralEntry(path: Buffer, shared: Buffer, local: number): Buffer {
  const entry = Buffer.alloc(46 + path.length);
  entry.writeUInt32LE(CENTRAL, 0);
  entry.writeUInt16LE(20, 4);
  shared.copy(entry, 6);
  entry.writeUInt16LE(path.length, 28);
  entry.writeUInt32LE(local, 42);
  path.copy(entry, 46);
  return entry;
}

function endOf(central: readonly Buffer[], start: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(central.length, 8);
  end.writeUInt16LE(central.length, 10);
  end.writeUInt32LE(
    central.reduce((n, entry) => n + entry.length, 0),
    12,
  );
  end.writeUInt32LE(start, 16);
  return end;
}
