// Bytes of small GGUF files, made to be read back and to be broken by tests. Format: ggml's docs/gguf.md.

import { sizeOf } from "../src/base/dtype.ts";
import { storageNames } from "../src/weights/gguf-types.ts";
import { quants } from "../src/weights/quants.ts";

export type SampleTensor = {
  readonly name: string;
  readonly storage: keyof typeof quants;
  /** Row-major, slowest first. */
  readonly shape: readonly number[];
  /** Its bytes; zeros when left out. */
  readonly bytes?: Uint8Array;
};

export type Sample = {
  readonly version?: number;
  readonly metadata: Readonly<
    Record<string, string | number | boolean | readonly string[] | readonly number[]>
  >;
  readonly tensors: readonly SampleTensor[];
};

const ALIGNMENT = 32;

/** Whole numbers are written as u32, others as f32. */
export function ggufBytes(sample: Sample): Buffer {
  const entries = Object.entries(sample.metadata);
  const header: Uint8Array[] = [
    Buffer.from("GGUF"),
    uint32(sample.version ?? 3),
    uint64(sample.tensors.length),
    uint64(entries.length),
  ];
  for (const [key, value] of entries) header.push(text(key), metadataValue(value));
  const data: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of sample.tensors) {
    const { blockSize, bytes } = quants[tensor.storage];
    const length = (sizeOf(tensor.shape) / blockSize) * bytes;
    header.push(tensorInfo(tensor, offset));
    const padded = new Uint8Array(Math.ceil(length / ALIGNMENT) * ALIGNMENT);
    padded.set(tensor.bytes ?? []);
    data.push(padded);
    offset += padded.length;
  }
  const front = Buffer.concat(header);
  return Buffer.concat([front, new Uint8Array(-front.length & (ALIGNMENT - 1)), ...data]);
}

/** The metadata of a Llama of these sizes. */
export function llamaMetadata(sizes: {
  readonly hidden: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly blocks: number;
}): Record<string, string | number> {
  return {
    "general.architecture": "llama",
    "llama.block_count": sizes.blocks,
    "llama.context_length": 128,
    "llama.embedding_length": sizes.hidden,
    "llama.feed_forward_length": sizes.hidden * 2,
    "llama.attention.head_count": sizes.heads,
    "llama.attention.head_count_kv": sizes.keyValueHeads,
    "llama.attention.layer_norm_rms_epsilon": Math.fround(1e-5),
    "llama.rope.freq_base": Math.fround(10000.5),
    "tokenizer.ggml.eos_token_id": 2,
  };
}

function tensorInfo({ name, storage, shape }: SampleTensor, offset: number): Buffer {
  const type = Number(Object.keys(storageNames).find((key) => storageNames[Number(key)] === storage));
  return Buffer.concat([
    text(name),
    uint32(shape.length),
    ...[...shape].reverse().map(uint64),
    uint32(type),
    uint64(offset),
  ]);
}

function metadataValue(value: Sample["metadata"][string]): Buffer {
  if (typeof value === "string") return Buffer.concat([uint32(8), text(value)]);
  if (typeof value === "boolean") return Buffer.concat([uint32(7), Buffer.from([value ? 1 : 0])]);
  if (typeof value !== "number") {
    const isText = typeof value[0] === "string";
    const items = value.map((item) => (typeof item === "string" ? text(item) : uint32(item)));
    return Buffer.concat([uint32(9), uint32(isText ? 8 : 4), uint64(value.length), ...items]);
  }
  if (Number.isInteger(value)) return Buffer.concat([uint32(4), uint32(value)]);
  const number = Buffer.alloc(4);
  number.writeFloatLE(value);
  return Buffer.concat([uint32(6), number]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
