// Runs an encoder–decoder network over one request: its source is read once, what the decoder's blocks look at in it is
// kept, and the answer is decoded id by id with a cache. Knows ids and logits, no text.

import { frozenArrays } from "../adapters/frozen.ts";
import { blockVariant } from "../adapters/hooks.ts";
import { chainsOf } from "../adapters/kind.ts";
import { type EncoderDecoder, everyParameter } from "../models/encoder-decoder.ts";
import { bucketOf, paddingMask } from "../models/relative.ts";
import { type Buffer, type Buffers, createBuffer } from "../runtime/device.ts";
import { buffersUnder, Programs } from "../runtime/programs.ts";
import type { DecoderOptions } from "./decoder.ts";
import {
  decoderEmbedding,
  decoderHead,
  decoderStep,
  encoderBlock,
  encoderEmbedding,
  encoderPositions,
  memoryKeys,
  memoryProgram,
  type Written,
} from "./memory-programs.ts";

/** As a decoder's, of a model with an encoder and a decoder. */
export type MemoryDecoderOptions = Omit<DecoderOptions, "model"> & { readonly model: EncoderDecoder };

type KeyValue = { readonly key: Buffer; readonly value: Buffer };

/** Sources are padded to a multiple of the one, caches grow by doubling from the other: each size is a program. */
const SOURCE_STEP = 64;
const FIRST_CACHE = 32;

/** One answer being written; it owns device buffers and programs until `dispose`. */
export class MemoryDecoder {
  readonly model: EncoderDecoder;
  readonly room: number;
  readonly #written: Written;
  readonly #feeds = new Map<string, Buffer>();
  readonly #programs: Programs;
  /** Padded length of the source, and what hides its padding. */
  #source = 0;
  #mask: Buffer | undefined;
  /** Of each of the decoder's blocks: what it looks at in the source, and of the answer so far. */
  #memory: readonly KeyValue[] = [];
  #past: readonly KeyValue[] = [];
  #length = 0;

  constructor({ model, read, adapter, capacity, device }: MemoryDecoderOptions) {
    this.model = model;
    this.room = capacity;
    this.#written = { model, adapter: adapter?.config ?? null };
    this.#programs = new Programs(device);
    for (const { name, shape } of everyParameter(model)) {
      this.#feeds.set(name, createBuffer("float32", shape, read(name)));
    }
    for (const [name, { shape, data }] of adapter ? frozenArrays(adapter, read) : []) {
      this.#feeds.set(name, createBuffer("float32", shape, data));
    }
  }

  /** Reads a source, forgetting the one before; gives the logits of the answer's first id. */
  async begin(prompt: readonly number[]): Promise<Float32Array> {
    if (prompt.length === 0) throw new Error("Expected ids to begin with, found none");
    await this.#readSource(prompt);
    this.#length = 0;
    this.#past = this.#memory.map(() => this.#emptyCache(FIRST_CACHE));
    return this.next(this.model.decoder_start_token_id);
  }

  /** Appends an id of the answer; gives the logits of the next. */
  async next(id: number): Promise<Float32Array> {
    if (this.#length === this.#capacity()) this.#past = this.#past.map((cache) => this.#grown(cache));
    const capacity = this.#capacity();
    const ids = createBuffer("int64", [1], BigInt64Array.of(BigInt(id)));
    const embedding = await this.#programs.get("decoderEmbedding", () => decoderEmbedding(this.#written));
    let x = (await embedding.run({ ...this.#all(), ids })).y!;
    const given = { bias: this.#biasRow(capacity), memory_mask: this.#mask! };
    for (const [layer, past] of this.#past.entries()) {
      const step = await this.#layerProgram("decoder", { layer, key: `step ${capacity}` }, () =>
        decoderStep(this.#written, { source: this.#source, layer, capacity }),
      );
      const { key, value } = this.#memory[layer]!;
      const kept = { past_key: past.key, past_value: past.value, memory_key: key, memory_value: value };
      const out = await step.run({ ...this.#blockFeeds("decoder", layer), ...given, ...kept, x });
      this.#append(past, { key: out.key!, value: out.value! });
      x = out.y!;
    }
    this.#length++;
    const head = await this.#programs.get("head", () => decoderHead(this.#written));
    return (await head.run({ ...this.#all(), x })).logits!.data as Float32Array;
  }

  async dispose(): Promise<void> {
    await this.#programs.dispose();
    this.#feeds.clear();
  }

  async #readSource(ids: readonly number[]): Promise<void> {
    const source = Math.ceil(ids.length / SOURCE_STEP) * SOURCE_STEP;
    if (source !== this.#source) await this.#programs.dispose();
    this.#source = source;
    const mask = paddingMask([ids.length], { batch: 1, length: source });
    this.#mask = createBuffer("float32", [1, 1, source], mask.data);
    const memory = await this.#encode(ids, source);
    const kept: KeyValue[] = [];
    for (let layer = 0; layer < this.model.decoder.num_hidden_layers; layer++) {
      const program = await this.#layerProgram("decoder", { layer, key: "keys" }, () =>
        memoryKeys(this.#written, { source, layer }),
      );
      const { key, value } = await program.run({ ...this.#blockFeeds("decoder", layer), x: memory });
      kept.push({ key: key!, value: value! });
    }
    this.#memory = kept;
  }

  /** What the decoder sees of a source: [source, hidden_size]. */
  async #encode(ids: readonly number[], source: number): Promise<Buffer> {
    const stage = async (name: string, build: typeof encoderEmbedding, feeds: Buffers) => {
      const program = await this.#programs.get(name, () => build(this.#written, { source }));
      return program.run({ ...this.#all(), ...feeds });
    };
    const filled = BigInt64Array.from({ length: source }, (_, i) => BigInt(ids[i] ?? 0));
    const embedded = await stage("embedding", encoderEmbedding, {
      ids: createBuffer("int64", [source], filled),
    });
    const masks = Object.entries(this.model.encoder.masks([ids.length], { batch: 1, length: source }));
    const shared = {
      ...(await stage("positions", encoderPositions, {})),
      ...Object.fromEntries(
        masks.map(([name, { shape, data }]) => [name, createBuffer("float32", shape, data)]),
      ),
    };
    let x = embedded.y!;
    for (let layer = 0; layer < this.model.encoder.num_hidden_layers; layer++) {
      const block = await this.#layerProgram("encoder", { layer, key: "block" }, () =>
        encoderBlock(this.#written, { source, layer }),
      );
      x = (await block.run({ ...this.#blockFeeds("encoder", layer), ...shared, x })).y!;
    }
    return (await stage("memory", memoryProgram, { x })).y!;
  }

  /** A program of a layer, which layers of one variant share. */
  #layerProgram(
    side: "encoder" | "decoder",
    { layer, key }: { layer: number; key: string },
    build: Parameters<Programs["get"]>[1],
  ) {
    const layers = chainsOf(this.model)[side === "encoder" ? 0 : 1]!;
    const variant = blockVariant(layers, this.#written.adapter, layer);
    return this.#programs.get(`${side} ${key} ${variant}`, build);
  }

  /** What positions add to the scores of the next id: every id before it, what is not there yet, itself. */
  #biasRow(capacity: number): Buffer {
    const { attention, decoder } = this.model;
    const heads = attention.num_heads;
    const table = this.#feeds.get(decoder.positionParameters[0]!.name)!.data as Float32Array;
    const row = new Float32Array(heads * (capacity + 1)).fill(-1e30);
    for (let at = 0; at <= this.#length; at++) {
      const bucket = bucketOf(at - this.#length, attention, false);
      const column = at === this.#length ? capacity : at;
      for (let head = 0; head < heads; head++) {
        row[head * (capacity + 1) + column] = table[bucket * heads + head]!;
      }
    }
    return createBuffer("float32", [heads, 1, capacity + 1], row);
  }

  #capacity(): number {
    return this.#past[0]!.key.shape[1]!;
  }

  #emptyCache(capacity: number): KeyValue {
    const { num_heads, d_kv } = this.model.attention;
    const empty = () =>
      createBuffer("float32", [num_heads, capacity, d_kv], new Float32Array(num_heads * capacity * d_kv));
    return { key: empty(), value: empty() };
  }

  /** The same in twice the room. */
  #grown(cache: KeyValue): KeyValue {
    const wider = this.#emptyCache(2 * this.#capacity());
    for (const part of ["key", "value"] as const) {
      const [heads, length, d] = cache[part].shape as [number, number, number];
      const [from, to] = [cache[part].data as Float32Array, wider[part].data as Float32Array];
      for (let head = 0; head < heads; head++) {
        to.set(from.subarray(head * length * d, (head + 1) * length * d), head * 2 * length * d);
      }
    }
    return wider;
  }

  /** Writes one position's key and value [heads, 1, d] behind those that are there. */
  #append(cache: KeyValue, one: KeyValue): void {
    for (const part of ["key", "value"] as const) {
      const [heads, length, d] = cache[part].shape as [number, number, number];
      const [from, to] = [one[part].data as Float32Array, cache[part].data as Float32Array];
      for (let head = 0; head < heads; head++) {
        to.set(from.subarray(head * d, (head + 1) * d), (head * length + this.#length) * d);
      }
    }
  }

  #all(): Buffers {
    return buffersUnder(this.#feeds, "");
  }

  #blockFeeds(side: "encoder" | "decoder", layer: number): Buffers {
    return buffersUnder(this.#feeds, this.model[side].blockPrefix(layer));
  }
}
