// A GGUF file as a source of weights: Hugging Face names, shapes and row order, whatever the file has. The
// tokenizer's metadata is handed on as plain data.

import { UserError } from "../base/errors.ts";
import { showText } from "../base/show.ts";
import { hashFiles, ReadableFile } from "./file.ts";
import { architectureOf, type GgufContents, huggingFaceName } from "./gguf-architectures.ts";
import { type GgufTensor, readGgufHeader } from "./gguf-header.ts";
import { GgufMetadata } from "./gguf-metadata.ts";
import { readValues } from "./quants.ts";
import type { WeightSource } from "./source.ts";

type MappedArray = {
  readonly name: string;
  readonly storage: string;
  readonly shape: readonly number[];
  readonly tensor: GgufTensor;
  /** Heads whose rows are interleaved in the file; 0 when they are in order. */
  readonly interleavedHeads: number;
};

/** Opens a GGUF model; its header is read and checked at once, its weights when asked for. */
export function openGguf(path: string): WeightSource {
  const file = new ReadableFile(path);
  try {
    const { metadata, tensors } = readGgufHeader(file);
    const { config, arrays } = describe(file, metadata, tensors);
    return {
      name: path,
      config,
      arrays,
      tokenizer: { kind: "gguf", metadata },
      read: (name) => read(file, arrays.get(name), name),
      hash: () => hashFiles([path]),
      dispose: () => file.dispose(),
    };
  } catch (error) {
    file.dispose();
    throw error;
  }
}

function describe(
  file: ReadableFile,
  metadata: Readonly<Record<string, unknown>>,
  tensors: readonly GgufTensor[],
): { config: Record<string, unknown>; arrays: Map<string, MappedArray> } {
  const contents = contentsOf(file, metadata, tensors);
  const row = architectureOf(contents);
  const config = row.config(contents);
  const arrays = new Map<string, MappedArray>();
  const unknown: string[] = [];
  for (const tensor of tensors) {
    if (row.settings.includes(tensor.name)) continue;
    const mapped = huggingFaceName(row, tensor.name);
    if (mapped === undefined) {
      unknown.push(tensor.name);
      continue;
    }
    const { name, storage, shape } = { ...tensor, name: mapped.name };
    const interleavedHeads = mapped.heads === undefined ? 0 : (config[mapped.heads] as number);
    checkHeads(file.path, tensor, interleavedHeads);
    arrays.set(name, { name, storage, shape, tensor, interleavedHeads });
  }
  if (unknown.length > 0) throw unknownArrays(file.path, row.architecture, unknown);
  return { config, arrays };
}

function contentsOf(
  file: ReadableFile,
  metadata: Readonly<Record<string, unknown>>,
  tensors: readonly GgufTensor[],
): GgufContents {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return {
    metadata: new GgufMetadata(file.path, metadata),
    shapes: new Map(tensors.map(({ name, shape }) => [name, shape])),
    read: (name) => readValues(file, byName.get(name)!, byName.get(name)!.format),
  };
}

function checkHeads(path: string, tensor: GgufTensor, heads: number): void {
  const rows = tensor.shape[0] ?? 0;
  if (heads === 0 || (rows > 0 && rows % (2 * heads) === 0)) return;
  throw new UserError(
    `Expected the rows of ${showText(tensor.name)} in ${path} to be an even number for each of ${heads} heads, found ${rows}: the file is damaged`,
  );
}

function unknownArrays(path: string, architecture: string, names: readonly string[]): UserError {
  const shown = names
    .slice(0, 5)
    .map((name) => showText(name))
    .join(", ");
  const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
  return new UserError(
    `Expected only the arrays of a plain ${architecture} model in ${path}, found ${shown}${more}: this variant is not supported yet`,
  );
}

function read(file: ReadableFile, array: MappedArray | undefined, name: string): Float32Array<ArrayBuffer> {
  if (array === undefined) throw new UserError(`Expected an array ${name} in ${file.path}, found none`);
  const values = readValues(file, array.tensor, array.tensor.format);
  return array.interleavedHeads === 0
    ? values
    : separateHalves(values, array.shape[0]!, array.interleavedHeads);
}

/**
 * Undoes the row order of Llama's q and k: the file interleaves the two halves of each head (rotary pairs side by
 * side), Hugging Face keeps one half after the other.
 */
export function separateHalves(
  values: Float32Array<ArrayBuffer>,
  rows: number,
  heads: number,
): Float32Array<ArrayBuffer> {
  const width = values.length / rows;
  const half = rows / heads / 2;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const head = Math.floor(row / (2 * half));
    const within = row - head * 2 * half;
    const source = head * 2 * half + (within % half) * 2 + Math.floor(within / half);
    out.set(values.subarray(source * width, (source + 1) * width), row * width);
  }
  return out;
}
