// What the training loop knows of a network, of whichever kind; the one place that chooses by kind.

import type { Adapter } from "../adapters/adapter.ts";
import type { AnyModel } from "../models/encoder-decoder.ts";
import type { Batch, Sequence } from "./batch.ts";
import type { ComputeCheck } from "./calibration.ts";
import { EncoderDecoderEngine } from "./encoder-decoder.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import type { Trained } from "./trained.ts";
import { XLNetEngine } from "./xlnet.ts";

/** A network on a device, ready to be trained or measured; it owns its buffers and programs until `dispose`. */
export type Network = {
  readonly model: { readonly vocab_size: number };
  /** Every trained array by full name; the optimizer writes to `data`, the next run sees it. */
  readonly trained: ReadonlyMap<string, Trained>;
  /** Makes ready what the compute dial needs, once, before anything is run; tells what it measured. */
  prepare?(sequences: readonly Sequence[]): Promise<ComputeCheck | null>;
  /** Sequences as batches of at most `rows` each, in the form that this network takes. */
  pack(sequences: readonly Sequence[], rows: number): readonly Batch[];
  /** Runs a batch and adds its gradients. Returns the weighted sum of its targets' negative log-likelihoods, in nats. */
  accumulate(batch: Batch, seed?: number): Promise<number>;
  /** Negative log-likelihood of each target of a batch, unweighted, in nats, in the order of `batch.labels`. */
  evaluate(batch: Batch): Promise<Float32Array>;
  /** Sets every gradient to zero. */
  clearGradients(): void;
  dispose(): Promise<void>;
};

export type NetworkOptions = Omit<EngineOptions, "model" | "like"> & {
  readonly model: AnyModel;
  readonly adapter: Adapter | null;
  /** One on the same base, whose base weights are used as they are there, where the kind can. */
  readonly like?: Network;
};

/** The network of a model. */
export function openNetwork({ model, like, ...options }: NetworkOptions): Network {
  switch (model.kind) {
    case "decoder":
      return new Engine({ model, ...options, ...(like instanceof Engine ? { like } : {}) });
    case "encoder-decoder":
      return new EncoderDecoderEngine({
        ...{ model, ...options },
        ...(like instanceof EncoderDecoderEngine ? { like } : {}),
      });
    case "two-stream":
      return new XLNetEngine({ model, ...options });
  }
}
