// Runs the stages of a network on batches: loss, and gradients summed into arrays that stay until the optimizer
// has used them. Owns every device buffer of training; knows no optimizer, schedule or file.

import type { Adapter } from "../adapters/adapter.ts";
import { blockVariant, outerParameters } from "../adapters/hooks.ts";
import { allParameters, type Model, type Parameter } from "../models/model.ts";
import {
  type Buffer,
  type Buffers,
  createBuffer,
  type DeviceOptions,
  type Executable,
} from "../runtime/device.ts";
import { buffersUnder, Programs } from "../runtime/programs.ts";
import type { WeightSource } from "../weights/source.ts";
import type { Batch } from "./batch.ts";
import { dropoutRate, fillMask } from "./dropout.ts";
import {
  blockBackward,
  blockForward,
  blockMasks,
  embeddingBackward,
  embeddingForward,
  headBackward,
  headForward,
  type Setup,
  trainsEmbedding,
} from "./stages.ts";
import type { Trained } from "./trained.ts";

/** What an engine is made of. */
export type EngineOptions = {
  readonly model: Model;
  /** Reads one base weight, f32 in the Hugging Face layout. */
  readonly read: WeightSource["read"];
  readonly adapter: Adapter | null;
  readonly trainable: Setup["trainable"];
  readonly label_smoothing?: number;
  readonly device: DeviceOptions;
};

/** Logits of one run of the head stay under this many values: 16 MB of f32. */
const HEAD_VALUES = 4 * 1024 * 1024;

/** Targets that one run of the head takes. */
export function headTargets(vocab_size: number): number {
  return Math.max(16, Math.min(512, 2 ** Math.floor(Math.log2(HEAD_VALUES / vocab_size))));
}

/** A network on a device, ready to be trained or measured; it owns its buffers and programs until `dispose`. */
export class Engine {
  readonly model: Model;
  /** Every trained array by full name; the optimizer writes to `data`, the next run sees it. */
  readonly trained = new Map<string, Trained>();
  readonly #setup: Setup;
  readonly #buffers = new Map<string, Buffer>();
  readonly #programs: Programs;
  readonly #pool = new Map<string, Buffer>();
  /** Masks that a held block program takes. */
  readonly #masks = new Map<string, readonly Parameter[]>();
  /** Batch and length of the programs that are held: their working memory is as large as the batch. */
  #held = "";

  constructor({ model, read, adapter, trainable, device, label_smoothing = 0 }: EngineOptions) {
    this.model = model;
    this.#programs = new Programs(device);
    this.#setup = { model, adapter: adapter?.config ?? null, trainable, label_smoothing };
    for (const { name, shape } of allParameters(model)) {
      this.#add(name, { shape, data: read(name) }, trainable === "all");
    }
    for (const [name, array] of adapter?.arrays ?? []) this.#add(name, array, trainable === "adapter");
  }

  #add(name: string, array: { shape: readonly number[]; data: Float32Array }, trained: boolean): void {
    this.#buffers.set(name, createBuffer("float32", array.shape, array.data));
    if (trained) this.trained.set(name, { ...array, gradient: new Float32Array(array.data.length) });
  }

  /**
   * Runs a batch and adds its gradients. Returns the weighted sum of its targets' negative log-likelihoods, in nats.
   * Dropout follows from `seed`.
   */
  async accumulate(batch: Batch, seed: number = 0): Promise<number> {
    const states = await this.#forward(batch, seed);
    const rows = batch.ids.length;
    const shape = [rows, this.model.hidden_size];
    const [dy, dx] = [this.#pooled("gradient 0", shape), this.#pooled("gradient 1", shape)];
    (dy.data as Float32Array).fill(0);
    const head = await this.#programs.get("headBackward", () =>
      headBackward(this.#setup, this.#headExtent(rows)),
    );
    let nll = 0;
    for (const chunk of this.#chunks(batch, batch.weights)) {
      const out = await head.run({ ...this.#outerFeeds(), x: states.at(-1)!, ...chunk.feeds });
      nll += sum(out.nll!.data as Float32Array);
      addInto(dy.data as Float32Array, out.dx!.data as Float32Array);
      this.#collect(out, "");
    }
    await this.#backward({ batch, states, seed }, [dy, dx]);
    return nll;
  }

  /** Negative log-likelihood of each target of a batch, unweighted, in nats, in the order of `batch.labels`. */
  async evaluate(batch: Batch): Promise<Float32Array> {
    const states = await this.#forward(batch, null);
    const extent = this.#headExtent(batch.ids.length);
    const head = await this.#programs.get("headForward", () => headForward(this.#setup, extent));
    const nll = new Float32Array(batch.rows.length);
    for (const chunk of this.#chunks(batch)) {
      const out = await head.run({ ...this.#outerFeeds(), x: states.at(-1)!, ...chunk.feeds });
      nll.set((out.nll!.data as Float32Array).subarray(0, chunk.count), chunk.start);
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

  /** Hidden states before each block and after the last; no seed is no dropout. */
  async #forward(batch: Batch, seed: number | null): Promise<readonly Buffer[]> {
    await this.#hold(batch);
    const rows = batch.ids.length;
    const shape = [rows, this.model.hidden_size];
    const layers = this.model.num_hidden_layers;
    const states = Array.from({ length: layers + 1 }, (_, i) => this.#pooled(`state ${i}`, shape));
    const ids = createBuffer("int64", [rows], batch.ids);
    const embedding = await this.#programs.get("embeddingForward", () => embeddingForward(this.#setup, rows));
    await embedding.run({ ...this.#outerFeeds(), ids }, { y: states[0]! });
    for (let layer = 0; layer < layers; layer++) {
      const { program, masks } = await this.#block("blockForward", batch, { layer, seed });
      await program.run(
        { ...this.#blockFeeds(layer), ...masks, x: states[layer]! },
        { y: states[layer + 1]! },
      );
    }
    return states;
  }

  async #backward(
    { batch, states, seed }: { batch: Batch; states: readonly Buffer[]; seed: number },
    ping: readonly [Buffer, Buffer],
  ): Promise<void> {
    let [dy, dx] = ping;
    for (let layer = this.model.num_hidden_layers - 1; layer >= 0; layer--) {
      const { program, masks } = await this.#block("blockBackward", batch, { layer, seed });
      const into = { ...this.#gradientOutputs(layer), dx };
      const feeds = { ...this.#blockFeeds(layer), ...masks, x: states[layer]!, dy };
      const out = await program.run(feeds, into);
      this.#collect(out, this.model.blockPrefix(layer));
      [dy, dx] = [dx, dy];
    }
    if (!trainsEmbedding(this.#setup)) return;
    const rows = batch.ids.length;
    // ScatterND adds without a lock: with threads, an id that occurs twice can lose a sum.
    const embedding = await this.#programs.get(
      "embeddingBackward",
      () => embeddingBackward(this.#setup, rows),
      1,
    );
    const ids = createBuffer("int64", [rows], batch.ids);
    this.#collect(await embedding.run({ ...this.#outerFeeds(), ids, dy }), "");
  }

  /** The program of a layer's block, which layers of one variant share, and the masks that it takes this time. */
  async #block(
    name: "blockForward" | "blockBackward",
    { extent }: Batch,
    { layer, seed }: { layer: number; seed: number | null },
  ): Promise<{ program: Executable; masks: Buffers }> {
    const variant = blockVariant(this.model, this.#setup.adapter, layer);
    const rate = seed === null ? 0 : dropoutRate(this.#setup.adapter);
    const place = { layer, drops: rate > 0 };
    const build = { blockForward, blockBackward }[name];
    const key = `${name} ${place.drops} ${variant}`;
    const program = await this.#programs.get(key, () => build(this.#setup, extent, place));
    if (!this.#masks.has(key)) this.#masks.set(key, blockMasks(this.#setup, extent, place));
    const masks = this.#masks.get(key)!.map(({ name, shape }, i) => {
      const buffer = this.#pooled(name, shape);
      fillMask(buffer.data as Float32Array, rate, [seed!, layer, i]);
      return [name, buffer] as const;
    });
    return { program, masks: Object.fromEntries(masks) };
  }

  /** Lets go of programs of another shape. */
  async #hold({ extent }: Batch): Promise<void> {
    const key = `${extent.batch} ${extent.length}`;
    if (this.#held !== key) {
      await this.#programs.dispose();
      this.#masks.clear();
    }
    this.#held = key;
  }

  #headExtent(rows: number): { rows: number; targets: number } {
    return { rows, targets: headTargets(this.model.vocab_size) };
  }

  #blockFeeds(layer: number): Buffers {
    return buffersUnder(this.#buffers, this.model.blockPrefix(layer));
  }

  /** Everything outside the blocks: an embedding or head program takes what it needs of it. */
  #outerFeeds(): Buffers {
    const { model } = this;
    const outer = [
      model.embeddingParameter,
      ...model.headParameters,
      ...outerParameters(model, this.#setup.adapter),
    ];
    return Object.fromEntries(outer.map(({ name }) => [name, this.#buffers.get(name)!]));
  }

  /** Where a block's gradients land before they are added: the same buffers for every layer. */
  #gradientOutputs(layer: number): Buffers {
    const prefix = this.model.blockPrefix(layer);
    const outputs: Record<string, Buffer> = {};
    for (const [name, { shape }] of this.trained) {
      const key = `d:${name.slice(prefix.length)}`;
      if (name.startsWith(prefix)) outputs[key] = this.#pooled(key, shape);
    }
    return outputs;
  }

  /** A buffer by name, reused from run to run; a shape of another size views or replaces its memory. */
  #pooled(name: string, shape: readonly number[]): Buffer {
    const held = this.#pool.get(name);
    if (held && held.shape.join() === shape.join()) return held;
    const size = shape.reduce((n, extent) => n * extent, 1);
    const memory = held?.data.buffer as ArrayBuffer | undefined;
    const fits = memory !== undefined && memory.byteLength >= size * 4;
    const buffer = createBuffer(
      "float32",
      shape,
      fits ? new Float32Array(memory, 0, size) : new Float32Array(size),
    );
    this.#pool.set(name, buffer);
    return buffer;
  }

  #collect(outputs: Buffers, prefix: string): void {
    for (const [name, { data }] of Object.entries(outputs)) {
      if (name.startsWith("d:"))
        addInto(this.trained.get(prefix + name.slice(2))!.gradient, data as Float32Array);
    }
  }

  *#chunks(
    batch: Batch,
    given?: readonly number[],
  ): Generator<{ start: number; count: number; feeds: Buffers }> {
    const size = headTargets(this.model.vocab_size);
    for (let start = 0; start < batch.rows.length; start += size) {
      const count = Math.min(size, batch.rows.length - start);
      const rows = new BigInt64Array(size);
      const labels = new BigInt64Array(size);
      const weights = new Float32Array(size);
      // Filling points at the last row, which predicts nothing: no sum of a real row is touched by it.
      rows.fill(BigInt(batch.ids.length - 1));
      for (let i = 0; i < count; i++) {
        rows[i] = BigInt(batch.rows[start + i]!);
        labels[i] = BigInt(batch.labels[start + i]!);
        weights[i] = given?.[start + i] ?? 1;
      }
      const feeds = {
        target_rows: createBuffer("int64", [size], rows),
        labels: createBuffer("int64", [size, 1], labels),
        weights: createBuffer("float32", [size], weights),
      };
      yield { start, count, feeds };
    }
  }
}

function addInto(into: Float32Array, from: Float32Array): void {
  for (let i = 0; i < into.length; i++) into[i]! += from[i]!;
}

function sum(values: Float32Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
