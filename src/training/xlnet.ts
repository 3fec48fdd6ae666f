// A network of two streams under training: what `engine.ts` is for one. Embedding, blocks over both streams' rows, the
// head over query rows, and back; gradients are summed until the optimizer has used them.

import { blockVariant } from "../adapters/hooks.ts";
import type { Parameter } from "../models/model.ts";
import { distanceWaves, type XLNet, xlnetParameters } from "../models/xlnet.ts";
import { type Buffer, type Buffers, createBuffer, type Executable } from "../runtime/device.ts";
import { buffersUnder, Programs } from "../runtime/programs.ts";
import type { Sequence } from "./batch.ts";
import { dropoutRate, fillMask } from "./dropout.ts";
import type { EngineOptions } from "./engine.ts";
import { headFeeds, headTargets } from "./head.ts";
import { Pool } from "./pool.ts";
import { headBackward, headForward } from "./stages.ts";
import { addInto, type Trained } from "./trained.ts";
import { packStreams, type StreamsBatch, streamMasks } from "./xlnet-batch.ts";
import {
  blockBackward,
  blockForward,
  blockMasks,
  embeddingBackward,
  embeddingForward,
  rowsOf,
  type StreamsSetup,
  trainedIn,
  trainsEmbedding,
} from "./xlnet-stages.ts";

/** As an engine's, of a network of two streams. */
export type XLNetOptions = Omit<EngineOptions, "model"> & { readonly model: XLNet };

/** What a forward pass leaves for the way back. */
type Passed = {
  readonly batch: StreamsBatch;
  readonly seed: number | null;
  /** Masks of the streams, and waves of distances. */
  readonly shared: Buffers;
  /** Hidden states before each block and after the last. */
  readonly states: readonly Buffer[];
};

/** A network on a device, ready to be trained or measured; it owns its buffers and programs until `dispose`. */
export class XLNetEngine {
  readonly model: XLNet;
  /** Every trained array by full name; the optimizer writes to `data`, the next run sees it. */
  readonly trained = new Map<string, Trained>();
  readonly #setup: StreamsSetup;
  readonly #buffers = new Map<string, Buffer>();
  readonly #pool = new Pool();
  readonly #programs: Programs;
  /** Masks of dropout that a held block program takes. */
  readonly #masks = new Map<string, readonly Parameter[]>();
  /** Lengths of the programs that are held: their working memory is as large as the batch. */
  #held = "";

  constructor({ model, read, adapter, trainable, device, label_smoothing = 0 }: XLNetOptions) {
    this.model = model;
    this.#setup = { model, adapter: adapter?.config ?? null, trainable, label_smoothing };
    this.#programs = new Programs(device);
    const idle = new Set(model.idleParameters.map(({ name }) => name));
    for (const { name, shape } of xlnetParameters(model).filter((parameter) => !idle.has(parameter.name))) {
      this.#add(name, { shape, data: read(name) }, trainable === "all");
    }
    for (const [name, array] of adapter?.arrays ?? []) this.#add(name, array, trainable === "adapter");
  }

  #add(name: string, array: { shape: readonly number[]; data: Float32Array }, trained: boolean): void {
    this.#buffers.set(name, createBuffer("float32", array.shape, array.data));
    if (trained) this.trained.set(name, { ...array, gradient: new Float32Array(array.data.length) });
  }

  /** Sequences as content and query rows, at most `rows` in a batch. */
  pack(sequences: readonly Sequence[], rows: number): StreamsBatch[] {
    return packStreams(sequences, rows);
  }

  /** Runs a batch and adds its gradients; gives the weighted sum of its targets' losses, in nats. */
  async accumulate(batch: StreamsBatch, seed: number = 0): Promise<number> {
    const passed = await this.#forward(batch, seed);
    const x = passed.states.at(-1)!;
    const dy = this.#pool.get("gradient 0", x.shape);
    (dy.data as Float32Array).fill(0);
    const head = await this.#programs.get("headBackward", () =>
      headBackward(this.#setup, this.#headExtent(batch)),
    );
    let nll = 0;
    for (const { feeds } of headFeeds(batch, headTargets(this.model.vocab_size), batch.weights)) {
      const out = await head.run({ ...this.#all(), x, ...feeds });
      for (const value of out.nll!.data as Float32Array) nll += value;
      addInto(dy.data as Float32Array, out.dx!.data as Float32Array);
      this.#collect(out, "");
    }
    await this.#backward(passed, dy);
    return nll;
  }

  /** Loss of each target of a batch, unweighted, in nats, in the order of `batch.labels`. */
  async evaluate(batch: StreamsBatch): Promise<Float32Array> {
    const x = (await this.#forward(batch, null)).states.at(-1)!;
    const head = await this.#programs.get("headForward", () =>
      headForward(this.#setup, this.#headExtent(batch)),
    );
    const nll = new Float32Array(batch.rows.length);
    for (const { start, count, feeds } of headFeeds(batch, headTargets(this.model.vocab_size))) {
      const out = await head.run({ ...this.#all(), x, ...feeds });
      nll.set((out.nll!.data as Float32Array).subarray(0, count), start);
    }
    return nll;
  }

  /** Sets every gradient to zero. */
  clearGradients(): void {
    for (const { gradient } of this.trained.values()) gradient.fill(0);
  }

  async dispose(): Promise<void> {
    await this.#programs.dispose();
    this.#buffers.clear();
    this.#pool.clear();
  }

  #headExtent({ streams }: StreamsBatch) {
    return { rows: rowsOf(streams), targets: headTargets(this.model.vocab_size) };
  }

  /** No seed is no dropout. */
  async #forward(batch: StreamsBatch, seed: number | null): Promise<Passed> {
    await this.#hold(batch);
    const { streams, ids } = batch;
    const shape = [rowsOf(streams), this.model.hidden_size];
    const layers = this.model.num_hidden_layers;
    const states = Array.from({ length: layers + 1 }, (_, i) => this.#pool.get(`state ${i}`, shape));
    const passed = { batch, seed, shared: this.#shared(batch), states };
    const embedding = await this.#programs.get("embedding", () => embeddingForward(this.#setup, streams));
    const given = { ids: createBuffer("int64", [ids.length], ids) };
    await embedding.run({ ...this.#all(), ...given }, { y: states[0]! });
    for (let layer = 0; layer < layers; layer++) {
      const { program, feeds } = await this.#block("forward", passed, layer);
      await program.run(feeds, { y: states[layer + 1]! });
    }
    return passed;
  }

  async #backward(passed: Passed, given: Buffer): Promise<void> {
    let [dy, dx] = [given, this.#pool.get("gradient 1", given.shape)];
    for (let layer = this.model.num_hidden_layers - 1; layer >= 0; layer--) {
      const { program, feeds } = await this.#block("backward", passed, layer);
      const out = await program.run({ ...feeds, dy }, { ...this.#gradientOutputs(layer), dx });
      this.#collect(out, this.model.blockPrefix(layer));
      [dy, dx] = [dx, dy];
    }
    if (!trainsEmbedding(this.#setup)) return;
    const { streams, ids } = passed.batch;
    const build = () => embeddingBackward(this.#setup, streams);
    // ScatterND adds without a lock: with threads, an id that occurs twice can lose a sum.
    const program = await this.#programs.get("embeddingBackward", build, 1);
    const feeds = { ids: createBuffer("int64", [ids.length], ids), dy };
    this.#collect(await program.run({ ...this.#all(), ...feeds }), "");
  }

  #shared(batch: StreamsBatch): Buffers {
    const { batch: rows, length, answer } = batch.streams;
    const { content, query } = streamMasks(batch);
    const waves = distanceWaves(this.model.attention, { first: length, count: 2 * length });
    return {
      content_mask: createBuffer("float32", [rows, 1, length, length], content),
      query_mask: createBuffer("float32", [rows, 1, answer, length], query),
      waves: createBuffer("float32", [2 * length, this.model.hidden_size], waves),
    };
  }

  /** The program of a layer's block, which layers of one variant share, and what it is fed. */
  async #block(
    pass: "forward" | "backward",
    { batch: { streams }, seed, shared, states }: Passed,
    layer: number,
  ): Promise<{ program: Executable; feeds: Buffers }> {
    const rate = seed === null ? 0 : dropoutRate(this.#setup.adapter);
    const place = { layer, drops: rate > 0 };
    const build = { forward: blockForward, backward: blockBackward }[pass];
    const key = `${place.drops} ${blockVariant(this.model, this.#setup.adapter, layer)}`;
    const program = await this.#programs.get(`${pass} ${key}`, () => build(this.#setup, streams, place));
    if (!this.#masks.has(key)) this.#masks.set(key, blockMasks(this.#setup, streams, place));
    const masks = this.#masks.get(key)!.map(({ name, shape }, i) => {
      const buffer = this.#pool.get(name, shape);
      fillMask(buffer.data as Float32Array, rate, [seed!, layer, i]);
      return [name, buffer] as const;
    });
    const own = buffersUnder(this.#buffers, this.model.blockPrefix(layer));
    return { program, feeds: { ...own, ...shared, ...Object.fromEntries(masks), x: states[layer]! } };
  }

  /** Lets go of programs of other lengths. */
  async #hold({ streams: { batch, length, answer } }: StreamsBatch): Promise<void> {
    const key = `${batch} ${length} ${answer}`;
    if (this.#held !== key) {
      await this.#programs.dispose();
      this.#masks.clear();
    }
    this.#held = key;
  }

  /** Adds outputs `d:NAME` to the gradients of the trained arrays `prefix`NAME. */
  #collect(outputs: Buffers, prefix: string): void {
    for (const [name, { data }] of Object.entries(outputs)) {
      if (!name.startsWith("d:")) continue;
      addInto(this.trained.get(prefix + name.slice(2))!.gradient, data as Float32Array);
    }
  }

  /** Where a block's gradients land before they are added: the same buffers for every layer. */
  #gradientOutputs(layer: number): Buffers {
    return Object.fromEntries(
      trainedIn(this.#setup, layer).map(({ name, shape }) => [
        `d:${name}`,
        this.#pool.get(`d:${name}`, shape),
      ]),
    );
  }

  #all(): Buffers {
    return buffersUnder(this.#buffers, "");
  }
}
