// Reading and writing safetensors files: named arrays, values as f32. Written files are the same bytes for the
// same arrays, whatever order they come in. It does not know what the names mean.

import { sizeOf } from "../base/dtype.ts";
import { UserError } from "../base/errors.ts";
import { writeFileFrom } from "../base/files.ts";
import { ReadableFile } from "./file.ts";
import { readValues } from "./quants.ts";
import { readSafetensorsHeader, type SafetensorsArray } from "./safetensors-header.ts";

export type SafetensorsFile = {
  readonly path: string;
  readonly arrays: ReadonlyMap<string, SafetensorsArray>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Values as f32. */
  read(name: string): Float32Array<ArrayBuffer>;
  dispose(): void;
};

/** Opens a safetensors file; its header is read and checked at once, its values when asked for. */
export function openSafetensors(path: string): SafetensorsFile {
  const file = new ReadableFile(path);
  try {
    const header = readSafetensorsHeader(file);
    const arrays = new Map(header.arrays.map((array) => [array.name, array]));
    return {
      path,
      arrays,
      metadata: header.metadata,
      read(name) {
        const array = arrays.get(name);
        if (array === undefined) throw new UserError(`Expected an array ${name} in ${path}, found none`);
        return readValues(file, array, array.format);
      },
      dispose: () => file.dispose(),
    };
  } catch (error) {
    file.dispose();
    throw error;
  }
}

/** One array to write. `data` may be a function, called when its turn comes, so that not all are in memory. */
export type ArrayToWrite = {
  readonly shape: readonly number[];
  readonly data: Float32Array | (() => Float32Array);
};

const BYTES = 4;

/** Writes arrays as F32, by name; the loaders of PyTorch want `format: "pt"`, which is the default metadata. */
export function writeSafetensors(
  path: string,
  arrays: ReadonlyMap<string, ArrayToWrite>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): void {
  const sorted = [...arrays].sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileFrom(path, parts(sorted, metadata));
}

function* parts(
  arrays: readonly (readonly [string, ArrayToWrite])[],
  metadata: Readonly<Record<string, string>>,
): Generator<Uint8Array> {
  yield headerOf(arrays, metadata);
  for (const [name, { shape, data }] of arrays) {
    const values = typeof data === "function" ? data() : data;
    if (values.length !== sizeOf(shape)) {
      throw new Error(`${name} has ${values.length} values for the shape [${shape.join(", ")}]`);
    }
    yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
}

function headerOf(
  arrays: readonly (readonly [string, ArrayToWrite])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries: [string, unknown][] = [["__metadata__", metadata]];
  let offset = 0;
  for (const [name, { shape }] of arrays) {
    const end = offset + sizeOf(shape) * BYTES;
    entries.push([name, { dtype: "F32", shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padded = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  json.copy(padded, 8);
  return padded;
}
