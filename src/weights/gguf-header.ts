// The header of a GGUF file (v2 and v3, little-endian): metadata as plain data and where each array lies. Every
// count, length and offset comes from outside and is held against a limit and the file's size before it is used.
// It does not know what any key or array means. Format: ggml's docs/gguf.md.

import { UserError } from "../base/errors.ts";
import { showText, showValue } from "../base/show.ts";
import type { ReadableFile } from "./file.ts";
import { HeaderCursor } from "./gguf-cursor.ts";
import { storageByType } from "./gguf-types.ts";
import type { Storage } from "./quants.ts";

export type GgufTensor = {
  readonly name: string;
  readonly storage: string;
  readonly format: Storage;
  /** Row-major, slowest first: the reverse of the file's order. */
  readonly shape: readonly number[];
  readonly count: number;
  /** Of its first byte in the file. */
  readonly position: number;
  readonly bytes: number;
};

export type GgufHeader = {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: readonly GgufTensor[];
};

const LIMITS = {
  metadataKeys: 65_536,
  tensors: 65_536,
  keyBytes: 65_535,
  nameBytes: 64,
  stringBytes: 16 * 1024 * 1024,
  /** Elements of all metadata arrays together; the largest vocabularies have half a million tokens. */
  arrayElements: 8 * 1024 * 1024,
  dimensions: 4,
  tensorElements: 2 ** 32,
  alignment: 65_536,
} as const;

/** Reads and checks the header; throws `UserError` for a damaged, cut or foreign file, before any weight is read. */
export function readGgufHeader(file: ReadableFile): GgufHeader {
  const cursor = new HeaderCursor(file);
  readPrologue(cursor);
  const tensorCount = cursor.count("arrays", LIMITS.tensors);
  const metadata = readMetadata(cursor, cursor.count("metadata keys", LIMITS.metadataKeys));
  const infos = Array.from({ length: tensorCount }, () => readTensorInfo(cursor));
  const alignment = alignmentOf(cursor, metadata);
  const start = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = infos.map((info) => place(cursor, info, { start, alignment }));
  checkNames(cursor, tensors);
  checkExtents(cursor, tensors);
  return { metadata, tensors };
}

function readPrologue(cursor: HeaderCursor): void {
  const { path, size } = cursor.file;
  const magic = size < 4 ? "" : cursor.take(4).toString("latin1");
  if (magic !== "GGUF") {
    throw new UserError(
      `Expected a GGUF file at ${path}, found a file that does not start with GGUF: get it again, or give a model folder`,
    );
  }
  const version = cursor.uint32();
  if (version === 2 || version === 3) return;
  const bigEndian = version === 0x02000000 || version === 0x03000000;
  const found = bigEndian ? "big-endian numbers" : `version ${version}`;
  throw new UserError(
    `Expected GGUF version 2 or 3, little-endian, in ${path}, found ${found}: convert the model again with a current converter`,
  );
}

function readMetadata(cursor: HeaderCursor, count: number): Record<string, unknown> {
  const entries = new Map<string, unknown>();
  const budget = { elements: LIMITS.arrayElements };
  for (let i = 0; i < count; i++) {
    const key = cursor.string("a metadata key", LIMITS.keyBytes);
    if (entries.has(key)) throw cursor.damaged(`metadata keys that differ, found ${showText(key)} twice`);
    entries.set(key, readValue(cursor, cursor.uint32(), budget));
  }
  return Object.fromEntries(entries);
}

const STRING = 8;
const ARRAY = 9;

type Scalar = { readonly bytes: number; read(bytes: Buffer, at: number): unknown };

const scalars: Readonly<Record<number, Scalar>> = {
  0: { bytes: 1, read: (b, at) => b.readUInt8(at) },
  1: { bytes: 1, read: (b, at) => b.readInt8(at) },
  2: { bytes: 2, read: (b, at) => b.readUInt16LE(at) },
  3: { bytes: 2, read: (b, at) => b.readInt16LE(at) },
  4: { bytes: 4, read: (b, at) => b.readUInt32LE(at) },
  5: { bytes: 4, read: (b, at) => b.readInt32LE(at) },
  6: { bytes: 4, read: (b, at) => b.readFloatLE(at) },
  7: { bytes: 1, read: (b, at) => b.readUInt8(at) !== 0 },
  10: { bytes: 8, read: (b, at) => plain(b.readBigUInt64LE(at)) },
  11: { bytes: 8, read: (b, at) => plain(b.readBigInt64LE(at)) },
  12: { bytes: 8, read: (b, at) => b.readDoubleLE(at) },
};

function readValue(cursor: HeaderCursor, type: number, budget: { elements: number }): unknown {
  if (type === STRING) return cursor.string("a metadata string", LIMITS.stringBytes);
  if (type === ARRAY) return readArray(cursor, budget);
  const scalar = scalars[type];
  if (scalar === undefined) throw cursor.damaged(`a metadata type from 0 to 12, found ${type}`);
  return scalar.read(cursor.take(scalar.bytes), 0);
}

function readArray(cursor: HeaderCursor, budget: { elements: number }): unknown[] {
  const type = cursor.uint32();
  const count = cursor.count("elements in metadata arrays", budget.elements);
  budget.elements -= count;
  if (type === STRING) {
    cursor.expect(count * 8);
    return Array.from({ length: count }, () => cursor.string("a metadata string", LIMITS.stringBytes));
  }
  const scalar = scalars[type];
  if (scalar === undefined)
    throw cursor.damaged(`metadata arrays of numbers or strings, found element type ${type}`);
  const bytes = cursor.take(count * scalar.bytes);
  return Array.from({ length: count }, (_, i) => scalar.read(bytes, i * scalar.bytes));
}

/** A number where it is exact. */
function plain(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

type TensorInfo = Omit<GgufTensor, "position"> & { readonly offset: number };

function readTensorInfo(cursor: HeaderCursor): TensorInfo {
  const name = cursor.string("an array name", LIMITS.nameBytes);
  const shown = showText(name);
  const dimensions = cursor.uint32();
  if (dimensions > LIMITS.dimensions) {
    throw cursor.damaged(`at most ${LIMITS.dimensions} dimensions for ${shown}, found ${dimensions}`);
  }
  const fastestFirst = Array.from({ length: dimensions }, () =>
    cursor.count(`elements in one dimension of ${shown}`, LIMITS.tensorElements),
  );
  const count = fastestFirst.reduce((product, extent) => product * extent, 1);
  if (count < 1 || count > LIMITS.tensorElements) {
    throw cursor.damaged(`1 to ${LIMITS.tensorElements} elements in ${shown}, found ${count}`);
  }
  const { storage, format } = storageByType(cursor.file.path, shown, cursor.uint32());
  const row = fastestFirst[0] ?? 1;
  if (row % format.blockSize !== 0) {
    throw cursor.damaged(
      `rows of ${shown} in blocks of ${format.blockSize} (${storage}), found rows of ${row}`,
    );
  }
  const bytes = (count / format.blockSize) * format.bytes;
  const offset = cursor.count(`as the offset of ${shown}`, Number.MAX_SAFE_INTEGER);
  return { name, storage, format, shape: fastestFirst.reverse(), count, bytes, offset };
}

function alignmentOf(cursor: HeaderCursor, metadata: Readonly<Record<string, unknown>>): number {
  const value = metadata["general.alignment"] ?? 32;
  const valid =
    typeof value === "number" &&
    value >= 8 &&
    value <= LIMITS.alignment &&
    Number.isInteger(Math.log2(value));
  if (!valid) {
    throw cursor.damaged(
      `general.alignment to be a power of two from 8 to ${LIMITS.alignment}, found ${showValue(value)}`,
    );
  }
  return value;
}

function place(
  cursor: HeaderCursor,
  info: TensorInfo,
  data: { readonly start: number; readonly alignment: number },
): GgufTensor {
  const { offset, ...rest } = info;
  if (offset % data.alignment !== 0) {
    throw cursor.damaged(
      `${showText(info.name)} to start at a multiple of ${data.alignment}, found offset ${offset}`,
    );
  }
  return { ...rest, position: data.start + offset };
}

function checkNames(cursor: HeaderCursor, tensors: readonly GgufTensor[]): void {
  const seen = new Set<string>();
  for (const { name } of tensors) {
    if (seen.has(name)) throw cursor.damaged(`array names that differ, found ${showText(name)} twice`);
    seen.add(name);
  }
}

function checkExtents(cursor: HeaderCursor, tensors: readonly GgufTensor[]): void {
  const inOrder = [...tensors].sort((a, b) => a.position - b.position);
  let previous: GgufTensor | undefined;
  for (const tensor of inOrder) {
    if (previous !== undefined && previous.position + previous.bytes > tensor.position) {
      throw cursor.damaged(
        `arrays that do not overlap, found ${showText(previous.name)} reaching into ${showText(tensor.name)}`,
      );
    }
    previous = tensor;
  }
  const end = previous === undefined ? 0 : previous.position + previous.bytes;
  if (end > cursor.file.size) throw cursor.cutShort(end);
}
