// Runs a network of two streams over one request: its prompt at once, whose ids all see each other, then the answer id
// by id over the keys and values that are kept. Knows ids and logits, no text.

import { frozenArrays } from "../adapters/frozen.ts";
import { blockVariant } from "../adapters/hooks.ts";
import { distanceWaves, type XLNet, xlnetParameters } from "../models/xlnet.ts";
import { type Buffer, type Buffers, createBuffer } from "../runtime/device.ts";
import { buffersUnder, Programs } from "../runtime/programs.ts";
import { capacityOf, emptyCache, grownCache, type KeyValue, writeCache } from "./cache.ts";
import type { DecoderOptions } from "./decoder.ts";
import {
  distancesProgram,
  embeddingProgram,
  headProgram,
  promptBlock,
  stepBlock,
  type Written,
} from "./xlnet-programs.ts";

/** As a decoder's, of a network of two streams. */
export type XLNetDecoderOptions = Omit<DecoderOptions, "model"> & { readonly model: XLNet };

/** Prompts are padded to a multiple of the one, caches have room for so many ids more than the prompt, then for twice as many. */
const PROMPT_STEP = 64;
const FIRST_ROOM = 32;

/** One answer being written; it owns device buffers and programs until `dispose`. */
export class XLNetDecoder {
  readonly model: XLNet;
  readonly room: number;
  readonly #written: Written;
  readonly #feeds = new Map<string, Buffer>();
  readonly #programs: Programs;
  /** Padded length of the prompt, the place of its first id, and places that are taken. */
  #prompt = 0;
  #start = 0;
  #length = 0;
  #past: readonly KeyValue[] = [];
  /** Of each layer the keys of distances, from capacity + 1 down to -capacity: [2 · capacity + 2, heads·d]. */
  #distances: readonly Buffer[] = [];

  constructor({ model, read, adapter, capacity, device }: XLNetDecoderOptions) {
    this.model = model;
    this.room = capacity;
    this.#written = { model, adapter: adapter?.config ?? null };
    this.#programs = new Programs(device);
    for (const { name, shape } of xlnetParameters(model)) {
      this.#feeds.set(name, createBuffer("float32", shape, read(name)));
    }
    for (const [name, { shape, data }] of adapter ? frozenArrays(adapter, read) : []) {
      this.#feeds.set(name, createBuffer("float32", shape, data));
    }
  }

  /** Reads a prompt, forgetting what was before; gives the logits of the answer's first id. */
  async begin(prompt: readonly number[]): Promise<Float32Array> {
    if (prompt.length === 0) throw new Error("Expected ids to begin with, found none");
    const padded = Math.ceil(prompt.length / PROMPT_STEP) * PROMPT_STEP;
    if (padded !== this.#prompt) await this.#forget();
    this.#prompt = padded;
    this.#length = padded;
    this.#start = padded - prompt.length;
    const filled = [...new Array<number>(this.#start).fill(0), ...prompt];
    const waves = this.#waves({ first: padded + 1, count: 2 * padded + 1 });
    const given = { waves, mask: this.#mask([1, 1, 1, padded]) };
    const past: KeyValue[] = [];
    let x = await this.#embed(filled);
    for (const layer of this.#layers()) {
      const program = await this.#layerProgram({ layer, key: `prompt ${padded}` }, () =>
        promptBlock(this.#written, { layer, content: padded }),
      );
      const out = await program.run({ ...this.#blockFeeds(layer), ...given, x });
      past.push(this.#kept({ key: out.key!, value: out.value! }));
      x = out.y!;
    }
    this.#past = past;
    return this.#logits(x);
  }

  /** Appends an id of the answer; gives the logits of the next. */
  async next(id: number): Promise<Float32Array> {
    if (this.#length === this.#capacity()) {
      const room = this.#prompt + 2 * (this.#length - this.#prompt);
      this.#past = this.#past.map((cache) => grownCache(cache, room));
    }
    const capacity = this.#capacity();
    await this.#makeDistances(capacity);
    const mask = this.#mask([1, 1, capacity + 1]);
    let x = await this.#embed([id]);
    for (const layer of this.#layers()) {
      const past = this.#past[layer]!;
      const program = await this.#layerProgram({ layer, key: `step ${capacity}` }, () =>
        stepBlock(this.#written, { layer, capacity }),
      );
      const kept = {
        past_key: past.key,
        past_value: past.value,
        mask,
        ...this.#distancesOf(layer, capacity),
      };
      const out = await program.run({ ...this.#blockFeeds(layer), ...kept, x });
      writeCache(past, this.#length, { key: out.key!, value: out.value! });
      x = out.y!;
    }
    this.#length++;
    return this.#logits(x);
  }

  async dispose(): Promise<void> {
    await this.#forget();
    this.#feeds.clear();
  }

  /** Lets go of programs of another prompt's length. */
  async #forget(): Promise<void> {
    await this.#programs.dispose();
    this.#past = [];
    this.#distances = [];
  }

  #layers(): readonly number[] {
    return [...Array(this.model.num_hidden_layers).keys()];
  }

  #capacity(): number {
    return capacityOf(this.#past[0]!);
  }

  /** A prompt's keys and values with room for what follows. */
  #kept(prompt: KeyValue): KeyValue {
    const { n_head: heads, d_head: d } = this.model.attention;
    const cache = emptyCache({ heads, d }, this.#prompt + FIRST_ROOM);
    writeCache(cache, 0, prompt);
    return cache;
  }

  /** Rows of ids, then that of the query after them. */
  async #embed(ids: readonly number[]): Promise<Buffer> {
    const count = ids.length;
    const program = await this.#programs.get(`embedding ${count}`, () =>
      embeddingProgram(this.#written, count),
    );
    const given = { ids: createBuffer("int64", [count], BigInt64Array.from(ids, BigInt)) };
    return (await program.run({ ...this.#all(), ...given })).y!;
  }

  async #logits(x: Buffer): Promise<Float32Array> {
    const rows = x.shape[0]!;
    const program = await this.#programs.get(`head ${rows}`, () => headProgram(this.#written, rows));
    return (await program.run({ ...this.#all(), x })).logits!.data as Float32Array;
  }

  #waves({ first, count }: { first: number; count: number }): Buffer {
    const { attention, hidden_size } = this.model;
    return createBuffer("float32", [count, hidden_size], distanceWaves(attention, { first, count }));
  }

  /** Places hidden but those from the prompt's first id on that are taken, and the last, which is one's own. */
  #mask(shape: readonly number[]): Buffer {
    const mask = new Float32Array(shape.at(-1)!).fill(-1e30);
    mask.fill(0, this.#start, this.#length);
    mask[mask.length - 1] = 0;
    return createBuffer("float32", shape, mask);
  }

  async #makeDistances(capacity: number): Promise<void> {
    const count = 2 * capacity + 2;
    if (this.#distances[0]?.shape[0] === count) return;
    const waves = this.#waves({ first: capacity + 1, count });
    const made: Buffer[] = [];
    for (const layer of this.#layers()) {
      const program = await this.#layerProgram({ layer, key: `distances ${capacity}` }, () =>
        distancesProgram(this.#written, { layer, count }),
      );
      made.push(
        (await program.run({ ...this.#blockFeeds(layer), waves, x: this.#waves({ first: 1, count: 2 }) })).y!,
      );
    }
    this.#distances = made;
  }

  /** What the rows of the next id and of its query meet at the distances of all places, and of the id itself. */
  #distancesOf(layer: number, capacity: number): { far: Buffer; near: Buffer } {
    const { shape, data } = this.#distances[layer]!;
    const width = shape[1]!;
    const rows = (first: number, count: number) => {
      const part = (data as Float32Array).subarray(first * width, (first + count) * width);
      return createBuffer("float32", [count, width], part);
    };
    return { far: rows(capacity - this.#length, capacity + 1), near: rows(capacity, 2) };
  }

  /** A program of a layer's block, which layers of one variant share. */
  #layerProgram({ layer, key }: { layer: number; key: string }, build: Parameters<Programs["get"]>[1]) {
    return this.#programs.get(`${key} ${blockVariant(this.model, this.#written.adapter, layer)}`, build);
  }

  #blockFeeds(layer: number): Buffers {
    return buffersUnder(this.#feeds, this.model.blockPrefix(layer));
  }

  #all(): Buffers {
    return buffersUnder(this.#feeds, "");
  }
}
