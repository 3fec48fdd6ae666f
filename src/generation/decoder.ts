// Runs a network left to right over one sequence with a key and value cache. Blocks share one program for each run
// length; the attention operator writes the cache in place. Knows ids and logits, no text.

import type { Adapter } from "../adapters/adapter.ts";
import { frozenArrays } from "../adapters/frozen.ts";
import { blockHooks, blockVariant, embeddingStage, headStage } from "../adapters/hooks.ts";
import { gather, reshape } from "../graph/build.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import { cachedAttention, rotaryTables } from "../models/attention.ts";
import { allParameters, type Model } from "../models/model.ts";
import { type Buffer, type Buffers, createBuffer, type DeviceOptions } from "../runtime/device.ts";
import { buffersUnder, Programs } from "../runtime/programs.ts";
import type { WeightSource } from "../weights/source.ts";

/** What a decoder is made of; `read` gives base weights as f32 by their full names. */
export type DecoderOptions = {
  readonly model: Model;
  readonly read: WeightSource["read"];
  readonly adapter: Adapter | null;
  /** Positions that the cache holds. */
  readonly capacity: number;
  readonly device: DeviceOptions;
};

/** Ids of a prompt run together; a last part is filled up and the filling overwritten by what follows. */
const PREFILL = 128;

/** One sequence being decoded, with its cache; it owns device buffers and programs until `dispose`. */
export class Decoder {
  readonly model: Model;
  readonly capacity: number;
  readonly #options: DecoderOptions;
  readonly #feeds = new Map<string, Buffer>();
  readonly #programs: Programs;
  readonly #caches: readonly { readonly key: Buffer; readonly value: Buffer }[];
  #length = 0;

  constructor(options: DecoderOptions) {
    const { model, read, adapter, capacity } = options;
    this.model = model;
    this.#options = options;
    this.#programs = new Programs(options.device);
    // Room for the filling of a last part.
    this.capacity = (Math.ceil(capacity / PREFILL) + 1) * PREFILL;
    for (const { name, shape } of allParameters(model)) {
      this.#feeds.set(name, createBuffer("float32", shape, read(name)));
    }
    for (const [name, { shape, data }] of adapter ? frozenArrays(adapter, read) : []) {
      this.#feeds.set(name, createBuffer("float32", shape, data));
    }
    this.#caches = Array.from({ length: model.num_hidden_layers }, () => ({
      key: this.#cache(),
      value: this.#cache(),
    }));
  }

  #cache(): Buffer {
    const { num_key_value_heads, head_dim } = this.model.attention;
    const shape = [1, num_key_value_heads, this.capacity, head_dim];
    return createBuffer("float32", shape, new Float32Array(num_key_value_heads * this.capacity * head_dim));
  }

  /** Positions in the cache. */
  get length(): number {
    return this.#length;
  }

  /** Ids of prompt and answer together, at most. */
  get room(): number {
    return Math.min(this.capacity, this.model.max_position_embeddings);
  }

  /** Forgets what was before and reads a prompt; gives the logits of what follows it. */
  begin(prompt: readonly number[]): Promise<Float32Array> {
    this.truncate(0);
    return this.append(prompt);
  }

  /** Takes one more id; gives the logits of what follows it. */
  next(id: number): Promise<Float32Array> {
    return this.append([id]);
  }

  /** Forgets all positions from `length` on. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** Appends ids; gives the logits [vocab_size] that follow the last of them. */
  async append(ids: readonly number[]): Promise<Float32Array> {
    let hidden: { buffer: Buffer; row: number } | undefined;
    for (let at = 0; at < ids.length; ) {
      const left = ids.length - at;
      const size = left === 1 ? 1 : PREFILL;
      const count = Math.min(size, left);
      if (this.#length + size > this.capacity) {
        throw new Error(`Expected at most ${this.capacity} positions, found ${this.#length + size}`);
      }
      hidden = { buffer: await this.#run(ids.slice(at, at + count), size), row: count - 1 };
      this.#length += count;
      at += count;
    }
    if (!hidden) throw new Error("Expected ids to append, found none");
    return this.#logits(hidden.buffer, hidden.row);
  }

  async dispose(): Promise<void> {
    await this.#programs.dispose();
    this.#feeds.clear();
  }

  async #run(ids: readonly number[], size: number): Promise<Buffer> {
    const filled = BigInt64Array.from({ length: size }, (_, i) => BigInt(ids[i] ?? 0));
    const embedding = await this.#programs.get(`embedding ${size}`, () =>
      embeddingProgram(this.#options, size),
    );
    const ids64 = createBuffer("int64", [size], filled);
    let x = (await embedding.run({ ...buffersUnder(this.#feeds, ""), ids: ids64 })).y!;
    const total = this.#length + size;
    const place = {
      seqlens_k: createBuffer("int32", [1], Int32Array.of(total - 1)),
      total_sequence_length: createBuffer("int32", [], Int32Array.of(total)),
    };
    for (const [layer, { key, value }] of this.#caches.entries()) {
      const block = await this.#block(size, layer);
      const feeds = { ...this.#blockFeeds(layer), ...place, x, past_key: key, past_value: value };
      x = (await block.run(feeds, { present_key: key, present_value: value })).y!;
    }
    return x;
  }

  async #logits(x: Buffer, row: number): Promise<Float32Array> {
    const size = x.shape[0]!;
    const head = await this.#programs.get(`head ${size}`, () => headProgram(this.#options, size));
    const rows = createBuffer("int64", [1], BigInt64Array.of(BigInt(row)));
    const { logits } = await head.run({ ...buffersUnder(this.#feeds, ""), x, row: rows });
    return logits!.data as Float32Array;
  }

  /** The program of a layer's block; layers of one variant share it. */
  #block(size: number, layer: number) {
    const variant = blockVariant(this.model, this.#options.adapter?.config ?? null, layer);
    const build = () => blockProgram(this.#options, { size, capacity: this.capacity, layer });
    return this.#programs.get(`block ${size} ${variant}`, build);
  }

  #blockFeeds(layer: number): Buffers {
    return buffersUnder(this.#feeds, this.model.blockPrefix(layer));
  }
}

function embeddingProgram({ model, adapter }: DecoderOptions, size: number): Program {
  const { y } = embeddingStage(model, adapter?.config ?? null, input("ids", "int64", [size]));
  return writeProgram("embedding", { y });
}

/** Ids of one run, positions that the cache holds, and the layer whose block it is. */
type BlockRun = { readonly size: number; readonly capacity: number; readonly layer: number };

/** x and the cache of one block to y and the cache that follows. */
export function blockProgram({ model, adapter }: DecoderOptions, run: BlockRun): Program {
  const { size, capacity, layer } = run;
  const { num_key_value_heads, head_dim } = model.attention;
  const cache = [1, num_key_value_heads, capacity, head_dim];
  let present: { present_key: Tensor; present_value: Tensor } | undefined;
  const attend = cachedAttention(
    model.attention,
    {
      length: size,
      pastKey: input("past_key", "float32", cache),
      pastValue: input("past_value", "float32", cache),
      seqlens: input("seqlens_k", "int32", [1]),
      total: input("total_sequence_length", "int32", []),
      tables: rotaryTables(model.attention, capacity),
    },
    (present_key, present_value) => {
      present = { present_key, present_value };
    },
  );
  const x = input("x", "float32", [size, model.hidden_size]);
  const hooks = blockHooks(model, adapter?.config ?? null, { layer, frozen: true });
  const y = model.block({ ...hooks, attend }, x);
  return writeProgram("decode_block", { y, ...present! });
}

function headProgram({ model, adapter }: DecoderOptions, size: number): Program {
  const x = gather(input("x", "float32", [size, model.hidden_size]), input("row", "int64", [1]));
  const { y } = headStage(model, adapter?.config ?? null, x);
  return writeProgram("decode_head", { logits: reshape(y, [model.vocab_size]) });
}
