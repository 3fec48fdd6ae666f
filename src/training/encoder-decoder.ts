// An encoder–decoder network under training: what `engine.ts` is for one chain of blocks. The encoder's chain, the
// memory, the decoder's chain, the head, and back; gradients are summed until the optimizer has used them.

import type { Adapter } from "../adapters/adapter.ts";
import { type EncoderDecoder, everyParameter } from "../models/encoder-decoder.ts";
import { type Buffer, type Buffers, createBuffer } from "../runtime/device.ts";
import { buffersUnder } from "../runtime/programs.ts";
import type { Sequence } from "./batch.ts";
import { type PairBatch, packPairs } from "./encoder-decoder-batch.ts";
import { Chain, type ChainRun } from "./encoder-decoder-chain.ts";
import {
  headSetup,
  memoryBackward,
  memoryForward,
  type PairSetup,
  type Side,
  sideMasks,
} from "./encoder-decoder-stages.ts";
import type { EngineOptions } from "./engine.ts";
import { headFeeds, headTargets } from "./head.ts";
import { Pool } from "./pool.ts";
import { headBackward, headForward } from "./stages.ts";
import { addInto, type Trained } from "./trained.ts";

/** As an engine's, of a model with an encoder and a decoder. */
export type EncoderDecoderOptions = Omit<EngineOptions, "model"> & { readonly model: EncoderDecoder };

/** What a forward pass leaves for the way back. */
type Passed = {
  readonly runs: Readonly<Record<Side, ChainRun>>;
  readonly encoded: readonly Buffer[];
  readonly decoded: readonly Buffer[];
};

/** A network on a device, ready to be trained or measured; it owns its buffers and programs until `dispose`. */
export class EncoderDecoderEngine {
  readonly model: EncoderDecoder;
  /** Every trained array by full name; the optimizer writes to `data`, the next run sees it. */
  readonly trained = new Map<string, Trained>();
  readonly #setup: PairSetup;
  readonly #buffers = new Map<string, Buffer>();
  readonly #pool = new Pool();
  readonly #encoder: Chain;
  readonly #decoder: Chain;

  constructor({ model, read, adapter, trainable, device, label_smoothing = 0 }: EncoderDecoderOptions) {
    this.model = model;
    this.#setup = { model, adapter: adapter?.config ?? null, trainable, label_smoothing };
    for (const { name, shape } of everyParameter(model)) {
      this.#add(name, { shape, data: read(name) }, trainable === "all");
    }
    this.#addAdapter(adapter, trainable === "adapter");
    const parts = {
      setup: this.#setup,
      buffers: this.#buffers,
      trained: this.trained,
      pool: this.#pool,
      device,
    };
    this.#encoder = new Chain(parts, "encoder");
    this.#decoder = new Chain(parts, "decoder");
  }

  #add(name: string, array: { shape: readonly number[]; data: Float32Array }, trained: boolean): void {
    this.#buffers.set(name, createBuffer("float32", array.shape, array.data));
    if (trained) this.trained.set(name, { ...array, gradient: new Float32Array(array.data.length) });
  }

  #addAdapter(adapter: Adapter | null, trained: boolean): void {
    for (const [name, array] of adapter?.arrays ?? []) this.#add(name, array, trained);
  }

  /** Sequences as pairs of a source and an answer, at most `rows` in a batch. */
  pack(sequences: readonly Sequence[], rows: number): PairBatch[] {
    return packPairs(sequences, rows, this.model.decoder_start_token_id);
  }

  /** Runs a batch and adds its gradients; gives the weighted sum of its targets' losses, in nats. */
  async accumulate(batch: PairBatch, seed: number = 0): Promise<number> {
    const passed = await this.#forward(batch, seed);
    const { nll, dy } = await this.#headBackward(batch, passed.decoded.at(-1)!);
    const { dmemory } = await this.#decoder.backward(passed.runs.decoder, passed.decoded, dy);
    if (dmemory) await this.#encoderBackward(passed, dmemory);
    return nll;
  }

  /** Loss of each target of a batch, unweighted, in nats, in the order of `batch.labels`. */
  async evaluate(batch: PairBatch): Promise<Float32Array> {
    const { decoded } = await this.#forward(batch, null);
    const size = headTargets(this.model.vocab_size);
    const extent = { rows: batch.ids.length, targets: size };
    const head = await this.#decoder.program("headForward", () =>
      headForward(headSetup(this.#setup), extent),
    );
    const nll = new Float32Array(batch.rows.length);
    for (const chunk of headFeeds(batch, size)) {
      const out = await head.run({ ...this.#all(), x: decoded.at(-1)!, ...chunk.feeds });
      nll.set((out.nll!.data as Float32Array).subarray(0, chunk.count), chunk.start);
    }
    return nll;
  }

  /** Sets every gradient to zero. */
  clearGradients(): void {
    for (const { gradient } of this.trained.values()) gradient.fill(0);
  }

  async dispose(): Promise<void> {
    await this.#encoder.dispose();
    await this.#decoder.dispose();
    this.#buffers.clear();
    this.#pool.clear();
  }

  /** Hidden states of both chains; no seed is no dropout. */
  async #forward({ pairs, source, ids }: PairBatch, seed: number | null): Promise<Passed> {
    const masks = (side: Side) => this.#masks(side, { lengths: source.lengths, extent: pairs });
    const encoder = { extent: pairs, ids: source.ids, given: masks("encoder"), seed };
    const encoded = await this.#encoder.forward(encoder);
    const last = encoded.at(-1)!;
    const memory = this.#pool.get("memory", last.shape);
    const rows = source.ids.length;
    const program = await this.#encoder.program("memory", () => memoryForward(this.#setup, rows));
    await program.run({ ...this.#all(), x: last }, { y: memory });
    const decoder = { extent: pairs, ids, given: { ...masks("decoder"), memory }, seed };
    return { runs: { encoder, decoder }, encoded, decoded: await this.#decoder.forward(decoder) };
  }

  /** The loss, and its gradient at the decoder's last hidden states. */
  async #headBackward(batch: PairBatch, x: Buffer): Promise<{ nll: number; dy: Buffer }> {
    const size = headTargets(this.model.vocab_size);
    const dy = this.#pool.get("dy", x.shape);
    (dy.data as Float32Array).fill(0);
    const extent = { rows: batch.ids.length, targets: size };
    const head = await this.#decoder.program("headBackward", () =>
      headBackward(headSetup(this.#setup), extent),
    );
    let nll = 0;
    for (const { feeds } of headFeeds(batch, size, batch.weights)) {
      const out = await head.run({ ...this.#all(), x, ...feeds });
      for (const value of out.nll!.data as Float32Array) nll += value;
      addInto(dy.data as Float32Array, out.dx!.data as Float32Array);
      this.#decoder.collect(out, "");
    }
    return { nll, dy };
  }

  async #encoderBackward({ runs, encoded }: Passed, dmemory: Buffer): Promise<void> {
    const x = encoded.at(-1)!;
    const rows = x.shape[0]!;
    const program = await this.#encoder.program("memoryBackward", () => memoryBackward(this.#setup, rows));
    const dy = this.#pool.get("encoder dy", x.shape);
    const out = await program.run({ ...this.#all(), x, dy: dmemory }, { dx: dy });
    this.#encoder.collect(out, "");
    await this.#encoder.backward(runs.encoder, encoded, dy);
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
