// Runs the stages of a network on batches: loss, and gradients summed into arrays that stay until the optimizer
// has used them. Owns every device buffer of training; knows no optimizer, schedule or file.

import type { Adapter } from "../adapters/adapter.ts";
import { blockVariant, outerParameters } from "../adapters/hooks.ts";
import type { Model } from "../models/model.ts";
import {
  type Buffer,
  type Buffers,
  createBuffer,
  type DeviceOptions,
  type Executable,
} from "../runtime/device.ts";
import { collectGarbage } from "../runtime/garbage.ts";
import { buffersUnder } from "../runtime/programs.ts";
import type { WeightSource } from "../weights/source.ts";
import { type Batch, packBatches, type Sequence } from "./batch.ts";
import { BlockWeights, type Observer, outerOf } from "./block-weights.ts";
import { type ComputeCheck, calibrationBatches, checkAgainst, layerRounding } from "./calibration.ts";
import { dropoutRate, maskFeeds } from "./dropout.ts";
import { Gradients } from "./gradients.ts";
import { Head, type HeadPass } from "./head.ts";
import { type Bits, bitsOf, type Keeping } from "./kept.ts";
import { type Packing, packTogether, segmentFeeds } from "./packing.ts";
import { Pool } from "./pool.ts";
import { SameLists } from "./same.ts";
import { largestWeight } from "./saturation.ts";
import { type Shape, Shapes } from "./shapes.ts";
import {
  blockObserved,
  embeddingBackward,
  embeddingForward,
  frozenGroups,
  plainParameters,
  type Setup,
  trainsEmbedding,
  type VocabularyForm,
} from "./stages.ts";
import { type Storage, type StoredGroup, storedGroups, storeLayer } from "./stored.ts";
import type { Trained } from "./trained.ts";
import { holdOuter, vocabularyOf } from "./vocabulary.ts";
import { asWanted, wantedFeeds, wantedRows, wantedSize } from "./wanted.ts";

/** What an engine is made of. */
export type EngineOptions = Bits & {
  readonly model: Model;
  /** Reads one base weight, f32 in the Hugging Face layout. */
  readonly read: WeightSource["read"];
  readonly adapter: Adapter | null;
  readonly trainable: Setup["trainable"];
  readonly label_smoothing?: number;
  /** How frozen products are computed, f32 when not given; `int8` asks for `prepare`. */
  readonly compute?: Compute;
  /** How frozen weights are held where products are f32; f32 when not given. */
  readonly storage?: Storage;
  /** How frozen matrices of the vocabulary are held; f16 with `int8`, else f32, when not given. */
  readonly vocabulary?: VocabularyForm;
  /** Whether rounded weights are held once for both directions; each has its own when not given. */
  readonly once?: boolean;
  /** What forward passes keep for backward passes, and in how many of the last blocks; nothing when not given. */
  readonly keeping?: Keeping;
  readonly kept_layers?: number;
  /** Whether eight-bit products are used whatever their check says: for measuring on weights that mean nothing. */
  readonly trusted?: boolean;
  /** Whether a program is alone in memory; blocks that do not keep have programs of their own then. */
  readonly alone?: boolean;
  /** Programs are held for batches of several shapes as long as these have so many rows together; 0 when not given. */
  readonly held_rows?: number;
  /** Whether short sequences share a row; not when not given. */
  readonly packing?: Packing | null;
  /** Rows of the run's largest batch, for which memory is taken at once and which the check does not exceed. */
  readonly rows?: number;
  /** Whether weights of blocks are read anew for every run instead of held. */
  readonly streams?: boolean;
  /** Whether they are so once eight-bit products have failed their check, because f32 ones do not fit. */
  readonly streams_f32?: boolean;
  /** An engine on the same base, whose base weights are used as they are there. */
  readonly like?: Engine;
  readonly device: DeviceOptions;
};

export type Compute = "f32" | "int8";

/** A batch on its way through the network: its programs, hidden states, and the seed of its dropout. */
type Run = {
  readonly batch: Batch;
  readonly held: Shape;
  readonly states: readonly Buffer[];
  readonly seed: number | null;
  /** The rows that are wanted of the last block; `null` stands for all. */
  readonly wanted: BigInt64Array | null;
};

/** What of a network's setup follows from how its frozen weights are held. */
function roundedIn({ frozen = [], steps, ...setup }: Setup): Partial<Setup> {
  return { frozen, ...bitsOf(setup), ...(steps === undefined ? {} : { steps }) };
}

/** A network on a device, ready to be trained or measured; it owns its buffers and programs until `dispose`. */
export class Engine {
  readonly model: Model;
  /** Every trained array by full name; the optimizer writes to `data`, the next run sees it. */
  readonly trained: ReadonlyMap<string, Trained>;
  readonly #options: EngineOptions;
  #setup: Setup;
  /** Arrays outside the blocks, and the adapter's. */
  readonly #buffers = new Map<string, Buffer>();
  readonly #weights: BlockWeights;
  /** What is fed of an adapter to each block. */
  readonly #own = new Map<number, Buffers>();
  readonly #gradients = new Gradients();
  readonly #head: Head;
  /** Of each layer the first that is of the same variant. */
  readonly #variants: readonly number[];
  readonly #shapes: Shapes;
  readonly #pool: Pool;
  #same: SameLists;

  constructor(options: EngineOptions) {
    const { model, read, adapter, trainable, device, like, label_smoothing = 0, once = false } = options;
    const config = adapter?.config ?? null;
    this.model = model;
    this.trained = this.#gradients.trained;
    this.#options = options;
    this.#head = new Head(device);
    this.#pool = new Pool(options.rows);
    this.#same = new SameLists(!(options.streams || (like ? like.#options.streams : false)));
    this.#shapes = new Shapes(device, options.held_rows ?? 0, options.alone ?? false);
    const outer = like
      ? { form: like.#setup.vocabulary ?? "f32", buffers: like.#buffers }
      : holdOuter({ model, read }, vocabularyOf(options));
    const vocabulary = outer.form;
    const setup: Setup = { model, adapter: config, trainable, label_smoothing, vocabulary, once };
    const same = like && !options.streams ? like : undefined;
    const layers = Array.from({ length: model.num_hidden_layers }, (_, layer) => layer);
    const variants = layers.map((layer) => blockVariant(model, config, layer));
    this.#variants = variants.map((variant) => variants.indexOf(variant));
    this.#setup = { ...setup, ...(same ? roundedIn(same.#setup) : { frozen: this.#stored(setup) }) };
    this.#weights = same
      ? same.#weights
      : new BlockWeights({ ...model, read, parameters: model.blockParameters });
    for (const { name } of outerOf(model)) {
      this.#add(name, outer.buffers.get(name)!, trainable === "all");
    }
    // An f32 copy of a vocabulary is as large as all that follows.
    if (!like && vocabulary === "f16") collectGarbage();
    if (!like && !options.streams && options.compute !== "int8") this.#holdAll();
    for (const [name, { shape, data }] of adapter?.arrays ?? []) {
      this.#add(name, createBuffer("float32", shape, data), trainable === "adapter");
    }
  }

  #stored(setup: Setup): readonly StoredGroup[] {
    const { storage = "f32", streams } = this.#options;
    return streams || storage === "f32" ? [] : storedGroups(frozenGroups(setup), storage);
  }

  #add(name: string, buffer: Buffer, trained: boolean): void {
    this.#buffers.set(name, buffer);
    if (trained) this.#gradients.add(name, buffer);
  }

  /** Reads the blocks' weights, as they are to be held. */
  #holdAll(): void {
    const { model, trainable } = this.#setup;
    const groups = this.#stored(this.#setup);
    for (let layer = 0; layer < model.num_hidden_layers; layer++) {
      const buffers = storeLayer(this.#weights.read(layer), groups);
      if (groups.length > 0) collectGarbage();
      this.#weights.hold(layer, buffers);
      if (trainable !== "all") continue;
      for (const [name, buffer] of Object.entries(buffers)) {
        this.#add(model.blockPrefix(layer) + name, buffer, true);
      }
    }
  }

  /**
   * Makes the engine ready for eight-bit products, where it was asked for: rounds the weights, then compares loss and
   * gradient with f32 on a few of the sequences and goes on in f32 where they differ. `null` where there is nothing to do.
   */
  async prepare(sequences: readonly Sequence[]): Promise<ComputeCheck | null> {
    const groups = this.#options.compute === "int8" ? frozenGroups(this.#setup) : [];
    if (groups.length === 0) {
      if (this.#options.compute === "int8") this.#holdAll();
      return null;
    }
    const setup = this.#setup;
    const batches = calibrationBatches(sequences, this.#options.rows);
    const most = await largestWeight(this.#options.device);
    const reference = new Engine({
      ...this.#options,
      compute: "f32",
      keeping: "nothing",
      streams: true,
      like: this,
    });
    try {
      this.#setup = { ...setup, ...bitsOf(this.#options), frozen: groups, steps: most };
      const round = layerRounding({ groups, plain: plainParameters(this.#setup), most });
      const hold: Observer = (layer, weights, observed) =>
        this.#weights.hold(layer, round(weights, observed));
      const check = await checkAgainst({ engine: this, reference, batches, hold });
      if (!check.passed && !this.#options.trusted) {
        this.#setup = setup;
        await this.#release();
        this.#weights.clear();
        if (this.#options.streams_f32) this.#same = new SameLists(false);
        else this.#holdAll();
      }
      return check;
    } finally {
      // Working memory stays as it is: what were let go of here would lie in pieces when training wants it.
      this.clearGradients();
      await reference.dispose();
    }
  }

  /** Sequences as batches of at most `rows` each, or several in one row. */
  pack(sequences: readonly Sequence[], rows: number): Batch[] {
    const { packing } = this.#options;
    return packing ? packTogether(sequences, packing) : packBatches(sequences, rows);
  }

  /**
   * Runs a batch and adds its gradients. Returns the weighted sum of its targets' negative log-likelihoods, in nats.
   * Dropout follows from `seed`.
   */
  async accumulate(batch: Batch, seed: number = 0, observe?: Observer): Promise<number> {
    const run = await this.#start(batch, observe ? null : wantedRows(batch), seed);
    const states = await this.#forward(run, observe);
    const last = states.at(-1)!;
    const dy = this.#pool.get("gradient of the last", last.shape);
    (dy.data as Float32Array).fill(0);
    let nll = 0;
    for await (const { out, scatter } of this.#ofHead("headBackward", asWanted(run), last)) {
      nll += (out.nll!.data as Float32Array).reduce((sum, value) => sum + value, 0);
      scatter(out.dx!, dy);
      this.#gradients.collect(out, "");
    }
    await this.#backward({ ...run, states }, dy);
    this.#gradients.isClear = false;
    return nll;
  }

  /** Negative log-likelihood of each target of a batch, unweighted, in nats, in the order of `batch.labels`. */
  async evaluate(batch: Batch): Promise<Float32Array> {
    const run = await this.#start(batch, wantedRows(batch), null);
    const states = await this.#forward(run);
    const nll = new Float32Array(batch.rows.length);
    const plain = { ...asWanted(run), weights: batch.weights.map(() => 1) };
    for await (const { out, start, count } of this.#ofHead("headForward", plain, states.at(-1)!)) {
      nll.set((out.nll!.data as Float32Array).subarray(0, count), start);
    }
    return nll;
  }

  #ofHead(pass: HeadPass, batch: Batch, states: Buffer) {
    return this.#head.run(pass, { setup: this.#setup, feeds: this.#outerFeeds(), batch, states });
  }

  /** Sets every gradient to zero. */
  clearGradients(): void {
    this.#gradients.clear();
  }

  async dispose(): Promise<void> {
    await this.#release();
    this.#buffers.clear();
    this.#own.clear();
    if (!this.#options.like || this.#options.streams) this.#weights.clear();
  }

  /** Lets go of programs and of working memory. */
  async #release(): Promise<void> {
    await this.#head.dispose();
    await this.#shapes.dispose();
    this.#pool.clear();
    this.#same.clear();
    collectGarbage();
  }

  /** Masks of dropout are those of all rows, so that with them all are wanted. */
  async #start(batch: Batch, wanted: Run["wanted"], seed: number | null): Promise<Omit<Run, "states">> {
    const held = await this.#shapes.of(batch.extent);
    this.#same.begin(held);
    this.#pool.begin(batch.ids.length);
    const drops = seed !== null && dropoutRate(this.#setup.adapter) > 0;
    return { batch, held, seed, wanted: drops ? null : wanted };
  }

  /** Hidden states before each block and after the last; no seed is no dropout and nothing kept. */
  async #forward(run: Omit<Run, "states">, observe?: Observer): Promise<readonly Buffer[]> {
    const { batch, held, wanted } = run;
    const rows = batch.ids.length;
    const layers = this.model.num_hidden_layers;
    const states = Array.from({ length: layers + 1 }, (_, i) => {
      const count = i === layers ? (wanted?.length ?? rows) : rows;
      // Where blocks keep their inputs only two are there at a time.
      const place = this.#setup.staying === undefined || i === layers ? i : i % 2;
      return this.#pool.get(`state ${place}`, [count, this.model.hidden_size]);
    });
    const ids = createBuffer("int64", [rows], batch.ids);
    const embedding = await held.programs.get("embeddingForward", () => embeddingForward(this.#setup, rows));
    await embedding.run({ ...this.#outerFeeds(), ids }, { y: states[0]! });
    for (let layer = 0; layer < layers; layer++) {
      const into = { y: states[layer + 1]! };
      if (observe) {
        await this.#observe({ held, layer, into, x: states[layer]! }, observe);
        if (dropoutRate(this.#setup.adapter) === 0) continue;
      }
      const { program, feeds, kept } = await this.#block("forward", run, layer);
      const given = [{ x: states[layer]! }, ...feeds];
      await this.#same.run(program, `${layer} forward`, { feeds: given, into: [into, kept] });
    }
    return states;
  }

  /** Runs a block without its dropout and lets what goes through it be looked at. */
  async #observe(
    { held, layer, into, x }: { held: Shape; layer: number; into: Buffers; x: Buffer },
    observe: Observer,
  ): Promise<void> {
    const program = await held.programs.get("observed", () =>
      blockObserved(this.#setup, held.extent, frozenGroups(this.#setup)),
    );
    const weights = this.#weights.feeds(layer);
    observe(layer, weights, await program.run({ ...weights, ...this.#ownFeeds(layer), x }, into));
  }

  async #backward(run: Run, last: Buffer): Promise<void> {
    const { batch, held, states } = run;
    let dy = last;
    for (let layer = this.model.num_hidden_layers - 1; layer >= 0; layer--) {
      if (!this.#keeps(layer) && !this.#options.alone) await this.#again(run, layer);
      const { program, feeds, kept } = await this.#block("backward", run, layer);
      const dx = this.#pool.get(`gradient ${layer % 2}`, states[layer]!.shape);
      const into = [{ dx }, this.#gradients.outputs(this.model.blockPrefix(layer), this.#pool)];
      const given = [{ x: states[layer]!, dy }, kept, ...feeds];
      const place = `${layer} backward ${this.#gradients.isClear ? "clear" : "added"}`;
      const out = await this.#same.run(program, place, { feeds: given, into });
      if (!this.#gradients.isClear) this.#gradients.collect(out, this.model.blockPrefix(layer));
      dy = dx;
    }
    if (!trainsEmbedding(this.#setup)) return;
    const rows = batch.ids.length;
    // ScatterND adds without a lock: with threads, an id that occurs twice can lose a sum.
    const build = () => embeddingBackward(this.#setup, rows);
    const embedding = await held.programs.get("embeddingBackward", build, 1);
    const ids = createBuffer("int64", [rows], batch.ids);
    this.#gradients.collect(await embedding.run({ ...this.#outerFeeds(), ids, dy }), "");
  }

  /** The program of a layer's block, which layers of one variant share, what it is fed, and what is kept between two. */
  async #block(
    pass: "forward" | "backward",
    { held, batch, seed, ...run }: Omit<Run, "states">,
    layer: number,
  ): Promise<{ program: Executable; feeds: readonly Buffers[]; kept: Buffers }> {
    const rows = layer === this.model.num_hidden_layers - 1 ? run.wanted : null;
    const variant = `${rows?.length} ${this.#variants[layer]}`;
    const rate = seed === null ? 0 : dropoutRate(this.#setup.adapter);
    const keeps = seed !== null && this.#keeps(layer);
    const keeping = keeps || !this.#options.alone ? (this.#options.keeping ?? "nothing") : "nothing";
    const of = { layer, drops: rate > 0, keeping, variant, ...wantedSize(rows) };
    const block = await held.block(pass, this.#setup, of);
    const masks = maskFeeds(block.masks, this.#pool, { rate, of: [seed!, layer] });
    const given = [segmentFeeds(batch), wantedFeeds(rows), masks];
    const feeds = [this.#ownFeeds(layer), this.#weights.feeds(layer), ...given];
    return { program: block.program, feeds, kept: this.#pool.all(keeps ? `${layer}` : "again", block.kept) };
  }

  /** Whether what a block's forward pass gives stays until its backward pass. */
  #keeps(layer: number): boolean {
    const { keeping = "nothing", kept_layers = Infinity } = this.#options;
    return keeping === "nothing" || layer >= this.model.num_hidden_layers - kept_layers;
  }

  /** Runs a block forward once more, for what did not stay: the programs are those of the blocks that keep. */
  async #again(run: Run, layer: number): Promise<void> {
    const { program, feeds, kept } = await this.#block("forward", run, layer);
    await program.run([{ x: run.states[layer]! }, ...feeds], [{ y: run.states[layer + 1]! }, kept]);
  }

  /** The adapter's arrays of a block, by their names within it. */
  #ownFeeds(layer: number): Buffers {
    const found = this.#own.get(layer);
    if (found) return found;
    const feeds = buffersUnder(this.#buffers, this.model.blockPrefix(layer));
    this.#own.set(layer, feeds);
    return feeds;
  }

  /** Everything outside the blocks: an embedding or head program takes what it needs of it. */
  #outerFeeds(): Buffers {
    const { model } = this;
    const outer = [...outerOf(model), ...outerParameters(model, this.#setup.adapter)];
    return Object.fromEntries(outer.map(({ name }) => [name, this.#buffers.get(name)!]));
  }
}
