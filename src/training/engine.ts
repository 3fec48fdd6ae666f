// Runs the stages of a network on batches: loss, and gradients summed into arrays that stay until the optimizer
// has used them. Owns every device buffer of training; knows no optimizer, schedule or file.

import type { Adapter } from "../adapters/target.ts";
import type { Model } from "../models/model.ts";
import { type Buffer, type Buffers, compile, createBuffer, type Executable } from "../runtime/device.ts";
import type { WeightSource } from "../weights/source.ts";
import type { Batch } from "./batch.ts";
import { blockStage, embeddingStage, headStage, type Setup, type Stage } from "./stages.ts";

export type EngineOptions = {
  readonly model: Model;
  /** Reads one base weight, f32 in the Hugging Face layout. */
  readonly read: WeightSource["read"];
  /** `null` trains every weight. */
  readonly adapter: Adapter | null;
  readonly threads: number;
};

type Programs = { readonly forward: Executable; readonly backward: Executable | null };

/** Logits of one run of the head stay under this many values: 16 MB of f32. */
const HEAD_VALUES = 4 * 1024 * 1024;

export class Engine {
  readonly model: Model;
  /** Every trained array by full name; the optimizer writes to `data`, the next run sees it. */
  readonly trained = new Map<
    string,
    { shape: readonly number[]; data: Float32Array; gradient: Float32Array }
  >();
  readonly #setup: Setup;
  readonly #threads: number;
  readonly #buffers = new Map<string, Buffer>();
  readonly #compiled = new Map<string, Programs>();
  #states: Buffer[] = [];
  #gradients: [Buffer, Buffer] | null = null;
  #scratch = new Map<string, Buffer>();

  constructor({ model, read, adapter, threads }: EngineOptions) {
    this.model = model;
    this.#threads = threads;
    this.#setup = { model, adapter: adapter?.config ?? null };
    const base = [
      ...new Map([model.embeddingParameter, ...model.headParameters].map((p) => [p.name, p])).values(),
    ];
    for (let layer = 0; layer < model.num_hidden_layers; layer++) {
      base.push(
        ...model.blockParameters.map((p) => ({ name: model.blockPrefix(layer) + p.name, shape: p.shape })),
      );
    }
    for (const { name, shape } of base) this.#add(name, { shape, data: read(name) }, adapter === null);
    for (const [name, array] of adapter?.arrays ?? []) this.#add(name, array, true);
  }

  #add(name: string, array: { shape: readonly number[]; data: Float32Array }, trained: boolean): void {
    this.#buffers.set(name, createBuffer("float32", array.shape, array.data));
    if (trained) this.trained.set(name, { ...array, gradient: new Float32Array(array.data.length) });
  }

  /** Runs a batch and adds its gradients. Returns the summed negative log-likelihood of its targets, in nats. */
  async accumulate(batch: Batch): Promise<number> {
    const { states, rows } = await this.#forward(batch);
    const [first, second] = this.#gradientBuffers(rows);
    (first.data as Float32Array).fill(0);
    let nll = 0;
    const programs = await this.#head(rows, true);
    for (const chunk of this.#chunks(batch)) {
      const out = await programs.backward!.run({ ...this.#headFeeds(), x: states.at(-1)!, ...chunk.feeds });
      nll += sum(out.nll!.data as Float32Array);
      addInto(first.data as Float32Array, out.dx!.data as Float32Array);
      this.#collect(out, "");
    }
    await this.#backward(batch, states, [first, second]);
    return nll;
  }

  /** Negative log-likelihood of each target of a batch, in nats, in the order of `batch.labels`. */
  async evaluate(batch: Batch): Promise<Float32Array> {
    const { states, rows } = await this.#forward(batch);
    const programs = await this.#head(rows, false);
    const nll = new Float32Array(batch.rows.length);
    for (const chunk of this.#chunks(batch)) {
      const out = await programs.forward.run({ ...this.#headFeeds(), x: states.at(-1)!, ...chunk.feeds });
      nll.set((out.nll!.data as Float32Array).subarray(0, chunk.count), chunk.start);
    }
    return nll;
  }

  async dispose(): Promise<void> {
    for (const programs of this.#compiled.values()) {
      await programs.forward.dispose();
      await programs.backward?.dispose();
    }
    this.#compiled.clear();
    this.#buffers.clear();
    this.#scratch.clear();
    this.#states = [];
  }

  async #forward(batch: Batch): Promise<{ states: Buffer[]; rows: number }> {
    const rows = batch.extent.batch * batch.extent.length;
    const states = this.#stateBuffers(rows);
    const ids = createBuffer("int64", [rows], batch.ids);
    const embedding = await this.#programs(
      `embedding ${rows}`,
      () => embeddingStage(this.#setup, rows),
      this.#full,
    );
    const weight = this.model.embeddingParameter.name;
    await embedding.forward.run({ ids, [weight]: this.#buffers.get(weight)! }, { y: states[0]! });
    const block = await this.#block(batch);
    for (let layer = 0; layer < this.model.num_hidden_layers; layer++) {
      await block.forward.run({ ...this.#blockFeeds(layer), x: states[layer]! }, { y: states[layer + 1]! });
    }
    return { states, rows };
  }

  async #backward(batch: Batch, states: readonly Buffer[], ping: [Buffer, Buffer]): Promise<void> {
    const block = await this.#block(batch);
    let [dy, dx] = ping;
    for (let layer = this.model.num_hidden_layers - 1; layer >= 0; layer--) {
      const into = { ...this.#gradientOutputs(), dx };
      const out = await block.backward!.run({ ...this.#blockFeeds(layer), x: states[layer]!, dy }, into);
      this.#collect(out, this.model.blockPrefix(layer));
      [dy, dx] = [dx, dy];
    }
    if (!this.#full) return;
    const rows = batch.ids.length;
    const embedding = await this.#programs(
      `embedding ${rows}`,
      () => embeddingStage(this.#setup, rows),
      true,
    );
    this.#collect(await embedding.backward!.run({ ids: createBuffer("int64", [rows], batch.ids), dy }), "");
  }

  get #full(): boolean {
    return this.#setup.adapter === null;
  }

  #block({ extent }: Batch): Promise<Programs> {
    return this.#programs(
      `block ${extent.batch} ${extent.length}`,
      () => blockStage(this.#setup, extent),
      true,
    );
  }

  #head(rows: number, backward: boolean): Promise<Programs> {
    const build = () => headStage(this.#setup, { rows, targets: this.#headTargets });
    return this.#programs(`head ${rows} ${backward}`, build, backward);
  }

  get #headTargets(): number {
    return Math.max(16, Math.min(512, 2 ** Math.floor(Math.log2(HEAD_VALUES / this.model.vocab_size))));
  }

  async #programs(key: string, build: () => Stage, backward: boolean): Promise<Programs> {
    const found = this.#compiled.get(key);
    if (found) return found;
    const stage = build();
    const options = { threads: this.#threads };
    const programs = {
      forward: await compile(stage.forward, options),
      backward: backward ? await compile(stage.backward, options) : null,
    };
    this.#compiled.set(key, programs);
    return programs;
  }

  #blockFeeds(layer: number): Buffers {
    const prefix = this.model.blockPrefix(layer);
    const feeds: Record<string, Buffer> = {};
    for (const [name, buffer] of this.#buffers) {
      if (name.startsWith(prefix)) feeds[name.slice(prefix.length)] = buffer;
    }
    return feeds;
  }

  #headFeeds(): Buffers {
    return Object.fromEntries(this.model.headParameters.map(({ name }) => [name, this.#buffers.get(name)!]));
  }

  /** Hidden states before each block and after the last, as views of one pool that only grows. */
  #stateBuffers(rows: number): Buffer[] {
    const shape = [rows, this.model.hidden_size];
    if (this.#states[0]?.shape[0] === rows) return this.#states;
    this.#states = Array.from({ length: this.model.num_hidden_layers + 1 }, (_, i) =>
      this.#pool(`state ${i}`, shape),
    );
    return this.#states;
  }

  #gradientBuffers(rows: number): [Buffer, Buffer] {
    if (this.#gradients?.[0].shape[0] !== rows) {
      const shape = [rows, this.model.hidden_size];
      this.#gradients = [this.#pool("gradient 0", shape), this.#pool("gradient 1", shape)];
    }
    return this.#gradients!;
  }

  /** Where the block's gradients land before they are added: the same buffers for every layer. */
  #gradientOutputs(): Buffers {
    const prefix = this.model.blockPrefix(0);
    const outputs: Record<string, Buffer> = {};
    for (const [name, { shape }] of this.trained) {
      if (name.startsWith(prefix)) outputs[`d:${name.slice(prefix.length)}`] = this.#pool(name, shape);
    }
    return outputs;
  }

  /** A buffer of at least this size by name, reused; a larger request replaces it. */
  #pool(name: string, shape: readonly number[]): Buffer {
    const size = shape.reduce((n, extent) => n * extent, 1);
    const held = this.#scratch.get(name);
    if (held && held.shape.join() === shape.join()) return held;
    const data =
      held && held.data.buffer.byteLength >= size * 4
        ? new Float32Array(held.data.buffer as ArrayBuffer, 0, size)
        : new Float32Array(size);
    const buffer = createBuffer("float32", shape, data);
    this.#scratch.set(name, buffer);
    return buffer;
  }

  #collect(outputs: Buffers, prefix: string): void {
    for (const [name, { data }] of Object.entries(outputs)) {
      if (name.startsWith("d:"))
        addInto(this.trained.get(prefix + name.slice(2))!.gradient, data as Float32Array);
    }
  }

  *#chunks(batch: Batch): Generator<{ start: number; count: number; feeds: Buffers }> {
    const size = this.#headTargets;
    for (let start = 0; start < batch.rows.length; start += size) {
      const count = Math.min(size, batch.rows.length - start);
      const rows = new BigInt64Array(size);
      const labels = new BigInt64Array(size);
      const weights = new Float32Array(size);
      for (let i = 0; i < count; i++) {
        rows[i] = BigInt(batch.rows[start + i]!);
        labels[i] = BigInt(batch.labels[start + i]!);
        weights[i] = 1;
      }
      yield {
        start,
        count,
        feeds: {
          target_rows: createBuffer("int64", [size], rows),
          labels: createBuffer("int64", [size, 1], labels),
          weights: createBuffer("float32", [size], weights),
        },
      };
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
