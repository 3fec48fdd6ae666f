// The header of a safetensors file, checked whole before any value is read: lengths, kinds, bounds, overlaps.
// Format: https://github.com/huggingface/safetensors (8 bytes of length, JSON, values).

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import { showText, showValue } from "../base/show.ts";
import type { ReadableFile } from "./file.ts";
import { quants, type Storage } from "./quants.ts";
import type { ArrayInfo } from "./source.ts";

export type SafetensorsArray = ArrayInfo & {
  readonly format: Storage;
  readonly count: number;
  /** Of its first byte in the file. */
  readonly position: number;
  readonly bytes: number;
};

export type SafetensorsHeader = {
  readonly arrays: readonly SafetensorsArray[];
  readonly metadata: Readonly<Record<string, string>>;
};

/** What huggingface_hub takes; the reference takes four times as much, which no model comes near. */
const LONGEST_HEADER = 25_000_000;
const LARGEST_COUNT = 2 ** 32;

/** Kinds of values, by the names the format gives them; integers become the nearest f32. */
export const kinds: Readonly<Record<string, Storage>> = {
  F32: quants.F32,
  F16: quants.F16,
  BF16: quants.BF16,
  F64: widening(8, (view, at) => view.getFloat64(at, true)),
  I64: widening(8, (view, at) => Number(view.getBigInt64(at, true))),
  I32: widening(4, (view, at) => view.getInt32(at, true)),
  I16: widening(2, (view, at) => view.getInt16(at, true)),
  I8: widening(1, (view, at) => view.getInt8(at)),
  U8: widening(1, (view, at) => view.getUint8(at)),
  BOOL: widening(1, (view, at) => (view.getUint8(at) === 0 ? 0 : 1)),
};

function widening(bytes: number, get: (view: DataView, at: number) => number): Storage {
  return {
    blockSize: 1,
    bytes,
    dequantise(blocks, out) {
      const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
      for (let i = 0; i < out.length; i++) out[i] = get(view, i * bytes);
    },
  };
}

/** Reads and checks the header; throws a `UserError` for a damaged, cut or foreign file. */
export function readSafetensorsHeader(file: ReadableFile): SafetensorsHeader {
  if (file.size < 8) throw damaged(file, `at least 8 bytes, found ${file.size}`);
  const length = file.head(8).readBigUInt64LE(0);
  if (length > BigInt(LONGEST_HEADER)) {
    throw damaged(file, `a header of at most ${LONGEST_HEADER} bytes, found ${length}`);
  }
  const start = 8 + Number(length);
  if (start > file.size) throw cutShort(file, start);
  const text = Buffer.alloc(Number(length));
  file.readInto(text, 8);
  const { __metadata__: metadata, ...entries } = parseHeader(file, text.toString("utf8"));
  const arrays = Object.entries(entries).map(([name, entry]) => describe(file, { name, entry, start }));
  checkExtents(file, arrays, start);
  return { arrays, metadata: isRecord(metadata) ? textsOf(metadata) : {} };
}

function parseHeader(file: ReadableFile, text: string): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(text);
    if (isRecord(header)) return header;
  } catch {
    // Falls through to the one sentence for both cases.
  }
  throw damaged(file, "a JSON object as header, found something else");
}

function describe(
  file: ReadableFile,
  { name, entry, start }: { name: string; entry: unknown; start: number },
): SafetensorsArray {
  const shown = showText(name);
  if (!isRecord(entry)) throw damaged(file, `an object for ${shown}, found ${showValue(entry)}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isCounts(shape)) throw damaged(file, `whole numbers as shape of ${shown}, found ${showValue(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw damaged(file, `two whole numbers as data_offsets of ${shown}, found ${showValue(offsets)}`);
  }
  const format = kindNamed(file, shown, dtype);
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (count > LARGEST_COUNT)
    throw damaged(file, `at most ${LARGEST_COUNT} values in ${shown}, found ${count}`);
  const [begin, end] = offsets as [number, number];
  const bytes = count * format.bytes;
  if (end - begin !== bytes) throw damaged(file, `${bytes} bytes for ${shown}, found ${end - begin}`);
  return { name, storage: dtype as string, shape, format, count, position: start + begin, bytes };
}

function kindNamed(file: ReadableFile, name: string, dtype: unknown): Storage {
  const known = Object.keys(kinds);
  if (typeof dtype === "string" && known.includes(dtype)) return kinds[dtype]!;
  const nearest = typeof dtype === "string" ? nearestName(showText(dtype), known) : undefined;
  throw new UserError(
    `Expected ${name} in ${file.path} to be stored as one of ${known.join(", ")}, found ${showValue(dtype)}: convert it${nearest ? ` to ${nearest}` : ""} first`,
  );
}

function checkExtents(file: ReadableFile, arrays: readonly SafetensorsArray[], start: number): void {
  let end = start;
  for (const array of [...arrays].sort((a, b) => a.position - b.position || a.bytes - b.bytes)) {
    if (array.position < end)
      throw damaged(file, `arrays that do not overlap, found ${showText(array.name)} inside another`);
    end = array.position + array.bytes;
  }
  if (end > file.size) throw cutShort(file, end);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textsOf(record: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function damaged(file: ReadableFile, wanted: string): UserError {
  return new UserError(
    `In the safetensors file ${file.path}, expected ${wanted}: the file is damaged, get it again`,
  );
}

function cutShort(file: ReadableFile, expected: number): UserError {
  return new UserError(
    `Expected at least ${expected} bytes in ${file.path}, found ${file.size}: the file is cut short, get it again`,
  );
}
