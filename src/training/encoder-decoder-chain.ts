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
import { dropoutRate, fillMask } from "./dropout.ts";
import type { PairExtent } from "./encoder-decoder-batch.ts";
import {
  blockBackward,
  blockForward,
  blockMasks,
  embeddingBackward,
  embeddingForward,
  layersOf,
  lengthOf,
  type PairSetup,
  positionsBackward,
  positionsForward,
  type Side,
  trainedIn,
  trainsEmbedding,
} from "./encoder-decoder-stages.ts";
import type { Pool } from "./pool.ts";
import { addInto, type Trained } from "./trained.ts";

/** What a chain runs with: all arrays by full name, those of them that are trained, and working memory. */
export type ChainParts = {
  readonly setup: PairSetup;
  readonly buffers: ReadonlyMap<string, Buffer>;
  readonly trained: ReadonlyMap<string, Trained>;
  readonly pool: Pool;
  readonly device: DeviceOptions;
};

/** A batch's part of a chain: its ids, what blocks share beside positions, and the seed of dropout, if any. */
export type ChainRun = {
  readonly extent: PairExtent;
  readonly ids: BigInt64Array;
  readonly given: Buffers;
  readonly seed: number | null;
};

export class Chain {
  readonly #parts: ChainParts;
  readonly #side: Side;
  readonly #programs: Programs;
  /** Masks that a held block program takes. */
  readonly #masks = new Map<string, readonly Parameter[]>();
  /** Lengths of the programs that are held: their working memory is as large as the batch. */
  #held = "";

  constructor(parts: ChainParts, side: Side) {
    this.#parts = parts;
    this.#side = side;
    this.#programs = new Programs(parts.device);
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
    const states = Array.from({ length: layers + 1 }, (_, i) => pool.get(`${this.#side} ${i}`, shape));
    const embedding = await this.program("embedding", () => embeddingForward(setup, this.#side, rows));
    await embedding.run({ ...this.#all(), ids: createBuffer("int64", [rows], run.ids) }, { y: states[0]! });
    const shared = { ...run.given, ...(await this.#positions(run.extent)) };
    for (let layer = 0; layer < layers; layer++) {
      const { program, masks } = await this.#block("forward", run, layer);
      const feeds = { ...this.#blockFeeds(layer), ...shared, ...masks, x: states[layer]! };
      await program.run(feeds, { y: states[layer + 1]! });
    }
    return states;
  }

  /**
   * From dy of the last hidden states back to the ids; `sums` receives what all blocks add to the gradient of something
   * that they share (`dmemory`, `dshared:NAME`). Adds the gradients of all that is trained in the chain.
   */
  async backward(run: ChainRun, states: readonly Buffer[], dy: Buffer): Promise<Buffers> {
    const { setup, pool } = this.#parts;
    const positions = await this.#positions(run.extent);
    const sums: Record<string, Buffer> = {};
    let [from, to] = [dy, pool.get(`${this.#side} gradient`, dy.shape)];
    for (let layer = states.length - 2; layer >= 0; layer--) {
      const { program, masks } = await this.#block("backward", run, layer);
      const feeds = {
        ...this.#blockFeeds(layer),
        ...run.given,
        ...positions,
        ...masks,
        x: states[layer]!,
        dy: from,
      };
      const out = await program.run(feeds, { ...this.#gradientOutputs(layer), dx: to });
      this.collect(out, setup.model[this.#side].blockPrefix(layer));
      this.#addShared(sums, out);
      [from, to] = [to, from];
    }
    if (trainsEmbedding(setup, this.#side)) await this.#embeddingBackward(run.ids, from);
    if (setup.trainable === "all") await this.#positionsBackward(run.extent, sums);
    return sums;
  }

  /** Adds outputs `d:NAME` to the gradients of the trained arrays `prefix`NAME. */
  collect(outputs: Buffers, prefix: string): void {
    for (const [name, { data }] of Object.entries(outputs)) {
      if (name.startsWith("d:")) {
        addInto(this.#parts.trained.get(prefix + name.slice(2))!.gradient, data as Float32Array);
      }
    }
  }

  async dispose(): Promise<void> {
    await this.#programs.dispose();
  }

  async #embeddingBackward(ids: BigInt64Array, dy: Buffer): Promise<void> {
    const rows = ids.length;
    const build = () => embeddingBackward(this.#parts.setup, this.#side, rows);
    // ScatterND adds without a lock: with threads, an id that occurs twice can lose a sum.
    const program = await this.program("embeddingBackward", build, 1);
    const given = { ids: createBuffer("int64", [rows], ids), dy };
    this.collect(await program.run({ ...this.#all(), ...given }), "");
  }

  async #positions(extent: PairExtent): Promise<Buffers> {
    const length = lengthOf(extent, this.#side);
    const build = () => positionsForward(this.#parts.setup, this.#side, length);
    return (await this.program("positions", build)).run(this.#all());
  }

  async #positionsBackward(extent: PairExtent, sums: Buffers): Promise<void> {
    const length = lengthOf(extent, this.#side);
    const build = () => positionsBackward(this.#parts.setup, this.#side, length);
    const program = await this.program("positionsBackward", build);
    const given = Object.fromEntries(
      Object.entries(sums).map(([name, sum]) => [name.replace("dshared:", "d:"), sum]),
    );
    this.collect(await program.run({ ...this.#all(), ...given }), "");
  }

  /** The first block's is where the sum begins. */
  #addShared(sums: Record<string, Buffer>, outputs: Buffers): void {
    for (const [name, { shape, data }] of Object.entries(outputs)) {
      if (name !== "dmemory" && !name.startsWith("dshared:")) continue;
      const sum = this.#parts.pool.get(`${this.#side} sum ${name}`, shape);
      if (sums[name]) addInto(sum.data as Float32Array, data as Float32Array);
      else (sum.data as Float32Array).set(data as Float32Array);
      sums[name] = sum;
    }
  }

  /** The program of a layer's block, which layers of one variant share, and the masks that it takes this time. */
  async #block(
    way: "forward" | "backward",
    { extent, seed }: ChainRun,
    layer: number,
  ): Promise<{ program: Executable; masks: Buffers }> {
    const { setup, pool } = this.#parts;
    const layers = layersOf(setup, this.#side);
    const rate = seed === null ? 0 : dropoutRate(setup.adapter);
    const place = { side: this.#side, layer, drops: rate > 0 };
    const build = { forward: blockForward, backward: blockBackward }[way];
    const key = `${way} ${place.drops} ${blockVariant(layers, setup.adapter, layer)}`;
    const program = await this.program(key, () => build(setup, extent, place));
    if (!this.#masks.has(key)) this.#masks.set(key, blockMasks(setup, extent, place));
    const number = layers.within!.first + layer;
    const masks = this.#masks.get(key)!.map(({ name, shape }, i) => {
      const buffer = pool.get(`${this.#side} ${name}`, shape);
      fillMask(buffer.data as Float32Array, rate, [seed!, number, i]);
      return [name, buffer] as const;
    });
    return { program, masks: Object.fromEntries(masks) };
  }

  /** Lets go of programs of other lengths. */
  async #hold(extent: PairExtent): Promise<void> {
    const { batch, source, answer } = extent;
    const key = this.#side === "encoder" ? `${batch} ${source}` : `${batch} ${source} ${answer}`;
    if (this.#held !== key) {
      await this.#programs.dispose();
      this.#masks.clear();
    }
    this.#held = key;
  }

  #all(): Buffers {
    return buffersUnder(this.#parts.buffers, "");
  }

  #blockFeeds(layer: number): Buffers {
    const { setup, buffers } = this.#parts;
    return buffersUnder(buffers, setup.model[this.#side].blockPrefix(layer));
  }

  /** Where a block's gradients land before they are added: the same buffers for every layer. */
  #gradientOutputs(layer: number): Buffers {
    const { setup, pool } = this.#parts;
    const trained = trainedIn(setup, this.#side, layer);
    return Object.fromEntries(
      trained.map(({ name, shape }) => [`d:${name}`, pool.get(`${this.#side} d:${name}`, shape)]),
    );
  }
}
