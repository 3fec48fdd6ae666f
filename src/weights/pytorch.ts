// Named arrays in a file of PyTorch's (`pytorch_adapter.bin`, `pytorch_model.bin`), read and written: a zip file of
// raw values beside a pickle that says what they are. The pickle is read as data. Format: pytorch:torch/serialization.py
// and torch/_utils.py (_rebuild_tensor_v2).

import { sizeOf } from "../base/dtype.ts";
import { UserError } from "../base/errors.ts";
import { writeFileFrom } from "../base/files.ts";
import { ReadableFile } from "./file.ts";
import { isKind, type Pickled, type PickledCall, parsePickle } from "./pickle.ts";
import { readValues } from "./quants.ts";
import type { ArrayToWrite } from "./safetensors.ts";
import { kinds } from "./safetensors-header.ts";
import type { ArrayInfo } from "./source.ts";
import { readZip, type ZipEntry, type ZipPart, zipParts } from "./zip.ts";

export type PytorchFile = {
  readonly path: string;
  readonly arrays: ReadonlyMap<string, ArrayInfo>;
  /** Values as f32. */
  read(name: string): Float32Array<ArrayBuffer>;
  dispose(): void;
};

type Place = ArrayInfo & {
  readonly entry: ZipEntry;
  readonly offset: number;
  readonly stride: readonly number[];
};

const STORAGES: Readonly<Record<string, string>> = {
  "torch FloatStorage": "F32",
  "torch HalfStorage": "F16",
  "torch BFloat16Storage": "BF16",
  "torch DoubleStorage": "F64",
  "torch LongStorage": "I64",
  "torch IntStorage": "I32",
  "torch ShortStorage": "I16",
  "torch CharStorage": "I8",
  "torch ByteStorage": "U8",
  "torch BoolStorage": "BOOL",
};

const REBUILD = "torch._utils _rebuild_tensor_v2";
const PARAMETER = "torch._utils _rebuild_parameter";
const ALLOWED = new Set(["collections OrderedDict", REBUILD, PARAMETER, ...Object.keys(STORAGES)]);
/** The name of an array that a file holds without one. */
export const BARE = "";
const LARGEST_PICKLE = 100_000_000;

/** Opens a file of arrays; a `UserError` names whatever in it is not plain data. */
export function openPytorch(path: string): PytorchFile {
  const file = new ReadableFile(path);
  try {
    const places = readPlaces(file);
    return {
      path,
      arrays: places,
      read(name) {
        const place = places.get(name);
        if (place === undefined) throw new UserError(`Expected an array ${name} in ${path}, found none`);
        return readPlace(file, place);
      },
      dispose: () => file.dispose(),
    };
  } catch (error) {
    file.dispose();
    throw error;
  }
}

function refuse({ path }: ReadableFile, found: string): UserError {
  return new UserError(
    `Expected plain arrays in ${path}, found ${found}: it is not read, since loading it as Python does could run what it says; convert it to safetensors where it came from`,
  );
}

function readPlaces(file: ReadableFile): ReadonlyMap<string, Place> {
  if (file.size >= 2 && file.head(2).toString("latin1") !== "PK") {
    throw new UserError(
      `Expected a zip file as PyTorch 1.6 and later write it at ${file.path}, found another format: save it again with a newer PyTorch, or as safetensors`,
    );
  }
  const entries = readZip(file);
  const name = [...entries.keys()].find((path) => path.split("/").length === 2 && path.endsWith("/data.pkl"));
  if (name === undefined) throw refuse(file, "no data.pkl");
  const folder = name.slice(0, name.indexOf("/"));
  const order = entries.get(`${folder}/byteorder`);
  if (order && textOf(file, order).trim() !== "little") throw refuse(file, "values in big-endian order");
  const pickle = entries.get(name)!;
  if (pickle.bytes > LARGEST_PICKLE) throw refuse(file, `a description of ${pickle.bytes} bytes`);
  const parsed = parsePickle(bytesOf(file, pickle), ALLOWED);
  if (!parsed.ok) throw refuse(file, parsed.reason);
  const named = isKind(parsed.value, "call") ? new Map([[BARE, parsed.value]]) : parsed.value;
  if (!(named instanceof Map)) throw refuse(file, "something else than a dictionary");
  const places = [...named].map(([key, value]) => {
    if (typeof key !== "string") throw refuse(file, "a key that is no text");
    return [key, placeOf(file, { name: key, value, entries, folder })] as const;
  });
  return new Map(places);
}

function bytesOf(file: ReadableFile, { position, bytes }: ZipEntry): Buffer {
  const buffer = Buffer.alloc(bytes);
  file.readInto(buffer, position);
  return buffer;
}

function textOf(file: ReadableFile, entry: ZipEntry): string {
  return bytesOf(file, { ...entry, bytes: Math.min(entry.bytes, 64) }).toString("latin1");
}

type Described = {
  readonly name: string;
  readonly value: Pickled;
  readonly entries: ReadonlyMap<string, ZipEntry>;
  readonly folder: string;
};

function placeOf(file: ReadableFile, { name, value, entries, folder }: Described): Place {
  const tensor = tensorCall(value);
  const [storage, offset, shape, stride] = tensor?.args ?? [];
  const id = isKind(storage, "reference") && Array.isArray(storage.id) ? storage.id : [];
  const [, type, key, , count] = id as readonly Pickled[];
  const kind = isKind(type, "name") ? STORAGES[type.name] : undefined;
  const entry = entries.get(`${folder}/data/${String(key)}`);
  if (kind === undefined || !isCount(count) || !isCount(offset) || !isCounts(shape) || !isCounts(stride)) {
    throw refuse(file, `${name === BARE ? "" : `under ${name.slice(0, 80)} `}something that is no array`);
  }
  const { bytes } = kinds[kind]!;
  if (entry === undefined || entry.bytes < count * bytes) throw refuse(file, `no values for ${name}`);
  // As many values as the file can hold at most, or a stride of zero would make a large array of one.
  const last = shape.reduce((sum, extent, i) => sum + Math.max(0, extent - 1) * stride[i]!, offset);
  const size = sizeOf(shape);
  if (stride.length !== shape.length || (size > 0 && (last >= count || size > count))) {
    throw refuse(file, `an array ${name} that reaches beyond its values`);
  }
  return { name, storage: kind, shape, entry, offset, stride };
}

/** The array itself, where it is wrapped as a parameter. */
function tensorCall(value: Pickled): PickledCall | undefined {
  if (!isKind(value, "call")) return undefined;
  if (value.name === PARAMETER) return tensorCall(value.args[0] ?? null);
  return value.name === REBUILD ? value : undefined;
}

function isCount(value: Pickled | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(value: Pickled | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every(isCount);
}

/** Strides of an array whose rows follow one another. */
function denseStride(shape: readonly number[]): number[] {
  return shape.map((_, i) => sizeOf(shape.slice(i + 1)));
}

function readPlace(file: ReadableFile, { storage, shape, entry, offset, stride }: Place) {
  const format = kinds[storage]!;
  const count = sizeOf(shape);
  const dense = denseStride(shape);
  const isDense = stride.every((step, i) => step === dense[i] || shape[i] === 1);
  const read = (from: number, values: number) =>
    readValues(file, { position: entry.position + from * format.bytes, count: values }, format);
  if (isDense || count === 0) return read(offset, count);
  const values = read(0, entry.bytes / format.bytes);
  return Float32Array.from({ length: count }, (_, i) => {
    const at = shape.reduce(
      (sum, extent, k) => sum + (Math.floor(i / dense[k]!) % extent) * stride[k]!,
      offset,
    );
    return values[at]!;
  });
}

/** Writes arrays as F32, in the order given, as `torch.load(weights_only=True)` takes them; one named `BARE` alone is
 * written without a name. */
export function writePytorch(path: string, arrays: ReadonlyMap<string, ArrayToWrite>): void {
  writeFileFrom(path, zipParts(fileParts(arrays)));
}

function* fileParts(arrays: ReadonlyMap<string, ArrayToWrite>): Generator<ZipPart> {
  const bare = arrays.size === 1 ? arrays.get(BARE) : undefined;
  const pickle = bare ? [PROTOCOL, arrayOf(bare.shape, 0), Buffer.from(".")] : [pickleOf(arrays)];
  yield { name: "archive/data.pkl", data: Buffer.concat(pickle) };
  yield { name: "archive/byteorder", data: Buffer.from("little") };
  let key = 0;
  for (const { data } of arrays.values()) {
    const values = typeof data === "function" ? data() : data;
    yield {
      name: `archive/data/${key++}`,
      data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    };
  }
  yield { name: "archive/version", data: Buffer.from("3\n") };
}

function pickleOf(arrays: ReadonlyMap<string, ArrayToWrite>): Buffer {
  const parts: Uint8Array[] = [PROTOCOL, Buffer.from("}(")];
  let key = 0;
  for (const [name, { shape }] of arrays) parts.push(text(name), arrayOf(shape, key++));
  return Buffer.concat([...parts, Buffer.from("u.")]);
}

const PROTOCOL = Buffer.from([0x80, 2]);

/** The call that makes an array of the values under a key. */
function arrayOf(shape: readonly number[], key: number): Buffer {
  const storage = [mark, text("storage"), global("torch FloatStorage"), text(String(key)), text("cpu")];
  const reference = [...storage, whole(sizeOf(shape)), tuple, Buffer.from("Q")];
  const sizes = [mark, ...shape.map(whole), tuple, mark, ...denseStride(shape).map(whole), tuple];
  const hooks = [global("collections OrderedDict"), Buffer.from(")R")];
  const args = [mark, ...reference, whole(0), ...sizes, Buffer.from([0x89]), ...hooks, tuple];
  return Buffer.concat([global(REBUILD), ...args, Buffer.from("R")]);
}

const mark = Buffer.from("(");
const tuple = Buffer.from("t");

function global(name: string): Buffer {
  return Buffer.from(`c${name.replace(" ", "\n")}\n`);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.from("X\0\0\0\0");
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A whole number below 2³¹ as BININT; sizes of arrays in one file stay below. */
function whole(value: number): Buffer {
  const bytes = Buffer.from("J\0\0\0\0");
  bytes.writeInt32LE(value, 1);
  return bytes;
}
