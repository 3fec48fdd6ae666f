// An encoder–decoder network under training: what `engine.ts` is for one chain of blocks. The encoder's chain, the
// memory, the decoder's chain, the head, and back; gradients are summed until the optimizer has used them.

import { type EncoderDecoder, everyParameter } from "../models/encoder-decoder.ts";
import { type Buffer, type Buffers, createBuffer } from "../runtime/device.ts";
import { collectGarbage } from "../runtime/garbage.ts";
import { buffersUnder } from "../runtime/programs.ts";
import { type Batch, bucketOf, type Sequence } from "./batch.ts";
import { BlockWeights, type Observer } from "./block-weights.ts";
import {
  type ComputeCheck,
  calibrationSequences,
  gradientCosine,
  judge,
  layerRounding,
} from "./calibration.ts";
import { type PairBatch, packPairs } from "./encoder-decoder-batch.ts";
import { frozenGroups, plainParameters } from "./encoder-decoder-blocks.ts";
import { Chain, type ChainRun } from "./encoder-decoder-chain.ts";
import {
  headSetup,
  memoryBackward,
  memoryForward,
  type PairSetup,
  SIDES,
  type Side,
  sideMasks,
} from "./encoder-decoder-stages.ts";
import type { EngineOptions } from "./engine.ts";
import { headFeeds, headTargets } from "./head.ts";
import { Pool } from "./pool.ts";
import { largestWeight } from "./saturation.ts";
import { headBackward, headForward } from "./stages.ts";
import { addInto, type Trained } from "./trained.ts";

/** As an engine's, of a model with an encoder and a decoder. */
export type EncoderDecoderOptions = Omit<EngineOptions, "model" | "like"> & {
  readonly model: EncoderDecoder;
  readonly like?: EncoderDecoderEngine;
};

type Sided<T> = Readonly<Record<Side, T>>;

/** Looks at the blocks of either side. */
type PairObserver = Sided<Observer>;

/** What a forward pass leaves for the way back. */
type Passed = {
  readonly runs: Sided<ChainRun>;
  readonly encoded: readonly Buffer[];
  readonly decoded: readonly Buffer[];
};

/** A network on a device, ready to be trained or measured; it owns its buffers and programs until `dispose`. */
export class EncoderDecoderEngine {
  readonly model: EncoderDecoder;
  /** Every trained array by full name; the optimizer writes to `data`, the next run sees it. */
  readonly trained = new Map<string, Trained>();
  readonly #options: EncoderDecoderOptions;
  /** Arrays outside the blocks, and the adapter's. */
  readonly #buffers = new Map<string, Buffer>();
  readonly #weights: Sided<BlockWeights>;
  readonly #gradients = new Map<string, Buffer>();
  readonly #pool = new Pool();
  /** Whether all gradients are zero. */
  #clear = true;
  #setup: PairSetup;
  #chains: Sided<Chain>;

  constructor(options: EncoderDecoderOptions) {
    const { model, read, adapter, trainable, label_smoothing = 0, like } = options;
    this.model = model;
    this.#options = options;
    const setup: PairSetup = { model, adapter: adapter?.config ?? null, trainable, label_smoothing };
    // Streaming is for f32: what the other holds is rounded.
    const same = like && !options.streams ? like : null;
    this.#setup = same ? { ...same.#setup, ...setup } : setup;
    this.#weights = same ? same.#weights : sided((side) => weightsOf(options, side));
    for (const { name, shape } of outsideOf(model)) {
      const data = like ? (like.#buffers.get(name)!.data as Float32Array) : read(name);
      this.#add(name, { shape, data }, trainable === "all");
    }
    if (like === undefined && !options.streams && options.compute !== "int8") this.#holdAll();
    for (const [name, array] of adapter?.arrays ?? []) this.#add(name, array, trainable === "adapter");
    this.#chains = this.#openChains();
  }

  #add(name: string, array: { shape: readonly number[]; data: Float32Array }, trained: boolean): void {
    this.#buffers.set(name, createBuffer("float32", array.shape, array.data));
    if (trained) this.#train(name, array);
  }

  #train(name: string, array: { shape: readonly number[]; data: Float32Array }): void {
    const gradient = new Float32Array(array.data.length);
    this.trained.set(name, { ...array, gradient });
    this.#gradients.set(name, createBuffer("float32", array.shape, gradient));
  }

  /** Reads the blocks' weights as f32. */
  #holdAll(): void {
    for (const side of SIDES) {
      const { num_hidden_layers, blockPrefix } = this.model[side];
      for (let layer = 0; layer < num_hidden_layers; layer++) {
        const buffers = this.#weights[side].read(layer);
        this.#weights[side].hold(layer, buffers);
        if (this.#setup.trainable !== "all") continue;
        for (const [name, { shape, data }] of Object.entries(buffers)) {
          this.#train(blockPrefix(layer) + name, { shape, data: data as Float32Array });
        }
      }
    }
  }

  #openChains(): Sided<Chain> {
    const { device, keeping = "nothing", kept_layers = Infinity } = this.#options;
    const { encoder, decoder } = this.model;
    const first = encoder.num_hidden_layers + decoder.num_hidden_layers - kept_layers;
    const parts = {
      ...{ setup: this.#setup, buffers: this.#buffers, pool: this.#pool, device },
      ...{ trained: this.trained, gradients: this.#gradients },
      keepingOf: (number: number) => (number >= first ? keeping : "nothing"),
    };
    return sided((side) => new Chain({ ...parts, weights: this.#weights[side] }, side));
  }

  /**
   * Makes the engine ready for eight-bit products, where it was asked for: rounds the weights, then compares loss and
   * gradient with f32 on a few of the sequences and goes on in f32 where they differ. `null` where there is nothing to do.
   */
  async prepare(sequences: readonly Sequence[]): Promise<ComputeCheck | null> {
    if (this.#options.compute !== "int8") return null;
    const setup = this.#setup;
    const frozen = sided((side) => frozenGroups(setup, side));
    if (SIDES.every((side) => frozen[side].length === 0)) {
      this.#holdAll();
      return null;
    }
    const most = await largestWeight(this.#options.device);
    const batches = this.pack(calibrationSequences(sequences), 1);
    const targets = batches.reduce((n, batch) => n + batch.rows.length, 0);
    const reference = new EncoderDecoderEngine({
      ...this.#options,
      ...{ compute: "f32", keeping: "nothing", streams: true, like: this },
    });
    try {
      await this.#change({ ...setup, frozen });
      const observe = sided((side) => this.#rounding(side, most));
      const f32_loss = (await reference.#sum(batches, observe)) / targets;
      // Its working memory goes before ours comes; its gradients stay.
      await reference.dispose();
      const int8_loss = (await this.#sum(batches)) / targets;
      const check = judge({ f32_loss, int8_loss, cosine: gradientCosine(this.trained, reference.trained) });
      if (!check.passed) await this.#returnTo(setup);
      return check;
    } finally {
      this.clearGradients();
      await reference.dispose();
      await this.#release();
    }
  }

  #rounding(side: Side, most: number): Observer {
    const groups = this.#setup.frozen![side];
    const round = layerRounding({ groups, plain: plainParameters(this.#setup, side), most });
    return (layer, weights, observed) => this.#weights[side].hold(layer, round(weights, observed));
  }

  async #sum(batches: readonly PairBatch[], observe?: PairObserver): Promise<number> {
    let nll = 0;
    for (const batch of batches) nll += await this.accumulate(batch, 0, observe);
    return nll;
  }

  async #change(setup: PairSetup): Promise<void> {
    await this.#release();
    this.#setup = setup;
    this.#chains = this.#openChains();
  }

  async #returnTo(setup: PairSetup): Promise<void> {
    await this.#change(setup);
    for (const side of SIDES) this.#weights[side].clear();
    this.#holdAll();
  }

  /** Sequences as pairs of a source and an answer, at most `rows` in a batch. */
  pack(sequences: readonly Sequence[], rows: number): PairBatch[] {
    return packPairs(sequences, rows, this.model.decoder_start_token_id);
  }

  /** Runs a batch and adds its gradients; gives the weighted sum of its targets' losses, in nats. */
  async accumulate(batch: PairBatch, seed: number = 0, observe?: PairObserver): Promise<number> {
    const passed = await this.#forward(batch, seed, observe);
    const { nll, dy } = await this.#headBackward(batch);
    const { runs, decoded } = passed;
    const clear = this.#clear;
    const dmemory = await this.#chains.decoder.backward({ ...runs.decoder, clear }, decoded, dy);
    if (dmemory) await this.#encoderBackward(passed, dmemory);
    this.#clear = false;
    return nll;
  }

  /** Loss of each target of a batch, unweighted, in nats, in the order of `batch.labels`. */
  async evaluate(batch: PairBatch): Promise<Float32Array> {
    await this.#forward(batch, null);
    const { extent, padded } = this.#headOf(batch);
    const head = await this.#chains.decoder.program(`headForward ${extent.targets}`, () =>
      headForward(headSetup(this.#setup), extent),
    );
    const nll = new Float32Array(batch.rows.length);
    for (const chunk of headFeeds(padded, extent.targets)) {
      const out = await head.run({ ...this.#all(), x: this.#decoded(batch), ...chunk.feeds });
      nll.set((out.nll!.data as Float32Array).subarray(0, chunk.count), chunk.start);
    }
    return nll;
  }

  /** Sets every gradient to zero. */
  clearGradients(): void {
    for (const { gradient } of this.trained.values()) gradient.fill(0);
    this.#clear = true;
  }

  async dispose(): Promise<void> {
    await this.#release();
    this.#buffers.clear();
    if (this.#options.like && !this.#options.streams) return;
    for (const side of SIDES) this.#weights[side].clear();
  }

  /** Lets go of programs and of working memory. */
  async #release(): Promise<void> {
    for (const side of SIDES) await this.#chains[side].dispose();
    this.#pool.clear();
    collectGarbage();
  }

  /** Hidden states of both chains; no seed is no dropout and nothing kept. */
  async #forward(batch: PairBatch, seed: number | null, observe?: PairObserver): Promise<Passed> {
    const { pairs, source, ids } = batch;
    const masks = (side: Side) => this.#masks(side, { lengths: source.lengths, extent: pairs });
    const looked = (side: Side) => (observe ? { observe: observe[side] } : {});
    const common = { extent: pairs, lengths: source.lengths, seed };
    const encoder = { ...common, ids: source.ids, given: masks("encoder"), ...looked("encoder") };
    const encoded = await this.#chains.encoder.forward(encoder);
    const last = encoded.at(-1)!;
    const memory = this.#pool.get("memory", last.shape);
    const rows = source.ids.length;
    const program = await this.#chains.encoder.program("memory", () => memoryForward(this.#setup, rows));
    await program.run({ ...this.#all(), x: last }, { y: memory });
    const into = withoutLast(this.#decoded(batch));
    const decoder = { ...common, ids, given: { ...masks("decoder"), memory }, into, ...looked("decoder") };
    return { runs: { encoder, decoder }, encoded, decoded: await this.#chains.decoder.forward(decoder) };
  }

  /**
   * The decoder's last hidden states, with one row more, of zeros: what fills up the head's targets points there, since
   * two targets of one row could lose a sum of the gradient.
   */
  #decoded({ ids }: PairBatch): Buffer {
    return this.#withLast("decoded", ids.length);
  }

  #withLast(name: string, rows: number): Buffer {
    const d = this.model.hidden_size;
    const buffer = this.#pool.get(name, [rows + 1, d]);
    (buffer.data as Float32Array).fill(0, rows * d);
    return buffer;
  }

  /** What a batch's head is compiled for, and the batch as the head is fed of it. */
  #headOf(batch: PairBatch): { extent: { rows: number; targets: number }; padded: Batch } {
    const rows = batch.ids.length + 1;
    const targets = Math.min(headTargets(this.model.vocab_size), bucketOf(batch.rows.length));
    return { extent: { rows, targets }, padded: { ...batch, ids: new BigInt64Array(rows) } };
  }

  /** The loss, and its gradient at the decoder's last hidden states. */
  async #headBackward(batch: PairBatch): Promise<{ nll: number; dy: Buffer }> {
    const { extent, padded } = this.#headOf(batch);
    const dy = this.#withLast("dy", batch.ids.length);
    (dy.data as Float32Array).fill(0);
    const head = await this.#chains.decoder.program(`headBackward ${extent.targets}`, () =>
      headBackward(headSetup(this.#setup), extent),
    );
    let nll = 0;
    for (const { feeds } of headFeeds(padded, extent.targets, batch.weights)) {
      const out = await head.run({ ...this.#all(), x: this.#decoded(batch), ...feeds });
      for (const value of out.nll!.data as Float32Array) nll += value;
      addInto(dy.data as Float32Array, out.dx!.data as Float32Array);
      this.#chains.decoder.collect(out, "");
    }
    return { nll, dy: withoutLast(dy) };
  }

  async #encoderBackward({ runs, encoded }: Passed, dmemory: Buffer): Promise<void> {
    const x = encoded.at(-1)!;
    const rows = x.shape[0]!;
    const { encoder } = this.#chains;
    const program = await encoder.program("memoryBackward", () => memoryBackward(this.#setup, rows));
    const dy = this.#pool.get("encoder dy", x.shape);
    const out = await program.run({ ...this.#all(), x, dy: dmemory }, { dx: dy });
    encoder.collect(out, "");
    await encoder.backward({ ...runs.encoder, clear: this.#clear }, encoded, dy);
  }

  #masks(side: Side, of: Parameters<typeof sideMasks>[2]): Buffers {
    const masks = Object.entries(sideMasks(this.#setup, side, of));
    return Object.fromEntries(
      masks.map(([name, { shape, data }]) => [name, createBuffer("float32", shape, data)]),
    );
  }

  #all(): Buffers {
    return buffersUnder(this.#buffers, "");
  }
}

function sided<T>(of: (side: Side) => T): Sided<T> {
  return { encoder: of("encoder"), decoder: of("decoder") };
}

function weightsOf({ model, read }: Pick<EncoderDecoderOptions, "model" | "read">, side: Side): BlockWeights {
  const { blockPrefix, blockParameters } = model[side];
  return new BlockWeights({ read, blockPrefix, parameters: blockParameters });
}

/** Parameters of no block, each once. */
function outsideOf(model: EncoderDecoder) {
  const none = { blockParameters: [] };
  const { encoder, decoder } = model;
  return everyParameter({
    ...model,
    encoder: { ...encoder, ...none },
    decoder: { ...decoder, ...none },
  });
}

/** A view of all rows but the last. */
function withoutLast({ shape: [rows, d], data }: Buffer): Buffer {
  return createBuffer("float32", [rows! - 1, d!], data.subarray(0, (rows! - 1) * d!));
}
