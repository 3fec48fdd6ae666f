// One chain of an encoder–decoder network run over a batch: embedding, what positions add, blocks; forward, keeping the
// hidden states between blocks, and backward. It owns its compiled programs; weights and gradients are the engine's.

import { blockVariant } from "../adapters/hooks.ts";
import type { Parameter } from "../models/model.ts";
import {
  type Buffer,
  type Buffers,
  createBuffer,
  type DeviceOptions,
  type Executable,
} from "../runtime/device.ts";
import { buffersUnder, Programs } from "../runtime/programs.ts";
import type { BlockWeights, Observer } from "./block-weights.ts";
import { dropoutRate, fillMask } from "./dropout.ts";
import type { PairExtent } from "./encoder-decoder-batch.ts";
import {
  blockBackward,
  blockForward,
  blockKept,
  blockMasks,
  blockObserved,
} from "./encoder-decoder-blocks.ts";
import {
  embeddingBackward,
  embeddingForward,
  layersOf,
  type PairSetup,
  positionsBackward,
  positionsForward,
  type Side,
  trainedIn,
  trainsEmbedding,
} from "./encoder-decoder-stages.ts";
import type { Keeping } from "./kept.ts";
import type { Pool } from "./pool.ts";
import { addInto, type Trained } from "./trained.ts";

/** What a chain runs with: arrays outside the blocks and the adapter's by full name, the blocks' weights, working memory. */
export type ChainParts = {
  readonly setup: PairSetup;
  readonly buffers: ReadonlyMap<string, Buffer>;
  readonly weights: BlockWeights;
  readonly trained: ReadonlyMap<string, Trained>;
  /** Buffers over the gradients of those. */
  readonly gradients: ReadonlyMap<string, Buffer>;
  readonly pool: Pool;
  readonly device: DeviceOptions;
  /** What the forward pass of a block keeps, by its number over both chains. */
  readonly keepingOf: (number: number) => Keeping;
};

/** A batch's part of a chain: its ids, what blocks share beside positions, and the seed of dropout, if any. */
export type ChainRun = {
  readonly extent: PairExtent;
  /** Real tokens of each source. */
  readonly lengths: readonly number[];
  readonly ids: BigInt64Array;
  readonly given: Buffers;
  /** `null`: no dropout, and nothing is kept. */
  readonly seed: number | null;
  /** Where the last hidden states go; a buffer of the chain's own when not given. */
  readonly into?: Buffer;
  /** Looks at each block's weights and at what goes into its products. */
  readonly observe?: Observer;
};

type Way = "forward" | "backward";

export class Chain {
  readonly #parts: ChainParts;
  readonly #side: Side;
  readonly #programs: Programs;
  /** Programs that run once for a batch and work in much memory, which they give back. */
  readonly #rare: Programs;
  /** Masks that a held block program takes, and what it keeps. */
  readonly #masks = new Map<string, readonly Parameter[]>();
  readonly #kept = new Map<string, readonly Parameter[]>();
  /** The adapter's arrays of each block, by their names within it. */
  readonly #own = new Map<number, Buffers>();
  /** Lengths of the programs that are held: their working memory is as large as the batch. */
  #held = "";
  /** What positions add, and to sources of which lengths. */
  #positions: { readonly of: string; readonly added: Buffers } | null = null;

  constructor(parts: ChainParts, side: Side) {
    this.#parts = parts;
    this.#side = side;
    this.#programs = new Programs(parts.device);
    this.#rare = new Programs({ ...parts.device, arena: false });
  }

  /** A program of this chain's lengths, for a stage beside the blocks. */
  program(key: string, build: Parameters<Programs["get"]>[1], threads?: number): Promise<Executable> {
    return this.#programs.get(key, build, threads);
  }

  /** Hidden states before each block and after the last. */
  async forward(run: ChainRun): Promise<readonly Buffer[]> {
    await this.#hold(run.extent);
    const { setup, pool } = this.#parts;
    const rows = run.ids.length;
    const layers = setup.model[this.#side].num_hidden_layers;
    const shape = [rows, setup.model.hidden_size];
    const states = Array.from({ length: layers }, (_, i) => pool.get(`${this.#side} ${i}`, shape));
    states.push(run.into ?? pool.get(`${this.#side} ${layers}`, shape));
    const embedding = await this.program("embedding", () => embeddingForward(setup, this.#side, rows));
    await embedding.run({ ...this.#all(), ids: createBuffer("int64", [rows], run.ids) }, { y: states[0]! });
    const shared = { ...run.given, ...(await this.#positionsOf(run)) };
    for (let layer = 0; layer < layers; layer++) {
      const [x, y] = [states[layer]!, states[layer + 1]!];
      if (run.observe) {
        await this.#observe(run.extent, { layer, feeds: { ...shared, x }, y }, run.observe);
        if (dropoutRate(setup.adapter) === 0) continue;
      }
      const { program, feeds, kept } = await this.#block("forward", run, layer);
      await program.run({ ...feeds, ...shared, x }, { y, ...kept });
    }
    return states;
  }

  /**
   * From dy of the last hidden states back to the ids. Adds the gradients of all that is trained in the chain, or writes
   * those of blocks where all gradients are zero (`clear`). Gives the memory's gradient, of a decoder.
   */
  async backward(
    { clear, ...run }: ChainRun & { readonly clear: boolean },
    states: readonly Buffer[],
    dy: Buffer,
  ): Promise<Buffer | undefined> {
    const { setup, pool } = this.#parts;
    const shared = { ...run.given, ...(await this.#positionsOf(run)) };
    const sums: Record<string, Buffer> = {};
    let [from, to] = [dy, pool.get(`${this.#side} gradient`, dy.shape)];
    let [before, next] = this.#memorySums(run);
    let memory: Buffer | undefined;
    for (let layer = states.length - 2; layer >= 0; layer--) {
      const { program, feeds, kept } = await this.#block("backward", run, layer);
      const given = before ? { dmemory_after: before } : {};
      const into = { ...this.#gradientOutputs(layer, clear), dx: to, ...(next ? { dmemory: next } : {}) };
      const x = states[layer]!;
      const out = await program.run({ ...feeds, ...kept, ...shared, ...given, x, dy: from }, into);
      if (!clear) this.collect(out, setup.model[this.#side].blockPrefix(layer));
      this.#addShared(sums, out);
      [from, to] = [to, from];
      [before, next] = [next, before];
      memory = out.dmemory;
    }
    if (trainsEmbedding(setup, this.#side)) await this.#embeddingBackward(run.ids, from);
    if (setup.trainable === "all") await this.#positionsBackward(run.extent, sums);
    // Tables of positions that are trained say something else at the next step.
    if (setup.trainable === "all") this.#positions = null;
    return memory;
  }

  /** What blocks sum up the memory's gradient in, by turns: zeros at first. */
  #memorySums({ given: { memory } }: ChainRun): readonly [] | readonly [Buffer, Buffer] {
    if (!memory) return [];
    const [first, second] = ["dmemory 0", "dmemory 1"].map((name) =>
      this.#parts.pool.get(name, memory.shape),
    );
    (first!.data as Float32Array).fill(0);
    return [first!, second!];
  }

  /** Adds outputs `d:NAME` to the gradients of the trained arrays `prefix`NAME. */
  collect(outputs: Buffers, prefix: string): void {
    for (const [name, { data }] of Object.entries(outputs)) {
      if (name.startsWith("d:")) {
        addInto(this.#parts.trained.get(prefix + name.slice(2))!.gradient, data as Float32Array);
      }
    }
  }

  /** Lets go of programs and of what belongs to their lengths. */
  async dispose(): Promise<void> {
    await this.#programs.dispose();
    await this.#rare.dispose();
    this.#masks.clear();
    this.#kept.clear();
    this.#positions = null;
    this.#held = "";
  }

  /** Runs a block without its dropout and lets what goes through it be looked at. */
  async #observe(
    extent: PairExtent,
    { layer, feeds, y }: { layer: number; feeds: Buffers; y: Buffer },
    observe: Observer,
  ): Promise<void> {
    const { setup, weights } = this.#parts;
    const program = await this.program("observed", () => blockObserved(setup, extent, this.#side));
    const read = weights.feeds(layer);
    observe(layer, read, await program.run({ ...read, ...this.#ownFeeds(layer), ...feeds }, { y }));
  }

  async #embeddingBackward(ids: BigInt64Array, dy: Buffer): Promise<void> {
    const rows = ids.length;
    const build = () => embeddingBackward(this.#parts.setup, this.#side, rows);
    // ScatterND adds without a lock: with threads, an id that occurs twice can lose a sum.
    const program = await this.program("embeddingBackward", build, 1);
    const given = { ids: createBuffer("int64", [rows], ids), dy };
    this.collect(await program.run({ ...this.#all(), ...given }), "");
  }

  async #positionsOf({ extent, lengths, given }: ChainRun): Promise<Buffers> {
    const of = lengths.join();
    if (this.#positions?.of === of) return this.#positions.added;
    const build = () => positionsForward(this.#parts.setup, this.#side, extent);
    const program = await this.#rare.get("positions", build);
    const added = await program.run({ ...this.#all(), ...given }, this.#positions?.added);
    this.#positions = { of, added };
    return added;
  }

  async #positionsBackward(extent: PairExtent, sums: Buffers): Promise<void> {
    const build = () => positionsBackward(this.#parts.setup, this.#side, extent);
    const program = await this.#rare.get("positionsBackward", build);
    const given = Object.fromEntries(
      Object.entries(sums).map(([name, sum]) => [name.replace("dshared:", "d:"), sum]),
    );
    this.collect(await program.run({ ...this.#all(), ...given }), "");
  }

  /** The first block's is where the sum begins. */
  #addShared(sums: Record<string, Buffer>, outputs: Buffers): void {
    for (const [name, { shape, data }] of Object.entries(outputs)) {
      if (!name.startsWith("dshared:")) continue;
      const sum = this.#parts.pool.get(`${this.#side} sum ${name}`, shape);
      if (sums[name]) addInto(sum.data as Float32Array, data as Float32Array);
      else (sum.data as Float32Array).set(data as Float32Array);
      sums[name] = sum;
    }
  }

  /** The program of a layer's block, which layers of one variant share, what it is fed, and what is kept between two. */
  async #block(
    way: Way,
    { extent, seed }: ChainRun,
    layer: number,
  ): Promise<{ program: Executable; feeds: Buffers; kept: Buffers }> {
    const { setup, pool, weights, keepingOf } = this.#parts;
    const layers = layersOf(setup, this.#side);
    const number = layers.within!.first + layer;
    const rate = seed === null ? 0 : dropoutRate(setup.adapter);
    const keeping = seed === null ? "nothing" : keepingOf(number);
    const place = { side: this.#side, layer, drops: rate > 0, keeping };
    const build = { forward: blockForward, backward: blockBackward }[way];
    const key = `${place.drops} ${keeping} ${blockVariant(layers, setup.adapter, layer)}`;
    const program = await this.program(`${way} ${key}`, () => build(setup, extent, place));
    if (!this.#masks.has(key)) this.#masks.set(key, blockMasks(setup, extent, place));
    if (!this.#kept.has(key)) this.#kept.set(key, blockKept(setup, extent, place));
    const masks = this.#masks.get(key)!.map(({ name, shape }, i) => {
      const buffer = pool.get(`${this.#side} ${name}`, shape);
      fillMask(buffer.data as Float32Array, rate, [seed!, number, i]);
      return [name, buffer] as const;
    });
    const kept = this.#kept
      .get(key)!
      .map(({ name, shape }) => [name, pool.get(`${number} ${name}`, shape)] as const);
    const feeds = { ...weights.feeds(layer), ...this.#ownFeeds(layer), ...Object.fromEntries(masks) };
    return { program, feeds, kept: Object.fromEntries(kept) };
  }

  /** Lets go of programs of other lengths. */
  async #hold(extent: PairExtent): Promise<void> {
    const { batch, source, answer } = extent;
    const key = this.#side === "encoder" ? `${batch} ${source}` : `${batch} ${source} ${answer}`;
    if (this.#held !== key) await this.dispose();
    this.#held = key;
  }

  #all(): Buffers {
    return buffersUnder(this.#parts.buffers, "");
  }

  #ownFeeds(layer: number): Buffers {
    const { setup, buffers } = this.#parts;
    const found = this.#own.get(layer);
    if (found) return found;
    const feeds = buffersUnder(buffers, setup.model[this.#side].blockPrefix(layer));
    this.#own.set(layer, feeds);
    return feeds;
  }

  /** Where a block's gradients land: at once where they are the first, else in buffers from which they are added. */
  #gradientOutputs(layer: number, clear: boolean): Buffers {
    const { setup, pool, gradients } = this.#parts;
    const prefix = setup.model[this.#side].blockPrefix(layer);
    const landing = ({ name, shape }: Parameter) =>
      clear ? gradients.get(prefix + name)! : pool.get(`${this.#side} d:${name}`, shape);
    const trained = trainedIn(setup, this.#side, layer);
    return Object.fromEntries(trained.map((parameter) => [`d:${parameter.name}`, landing(parameter)]));
  }
}
