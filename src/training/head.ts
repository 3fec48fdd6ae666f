// How targets go through the head: so many at a time that their logits stay small, whatever the vocabulary. The same for
// every kind of network.

import { type Buffer, type Buffers, createBuffer, type DeviceOptions } from "../runtime/device.ts";
import { Programs } from "../runtime/programs.ts";
import type { Batch } from "./batch.ts";
import { headBackward, headForward, type Setup } from "./stages.ts";

/** Logits of one run of the head stay under this many values: 16 MB of f32. */
const HEAD_VALUES = 4 * 1024 * 1024;

/** Targets that one run of the head takes. */
export function headTargets(vocab_size: number): number {
  return Math.max(32, Math.min(512, 2 ** Math.floor(Math.log2(HEAD_VALUES / vocab_size))));
}

/** The targets of a batch, `size` at a time, as what the head is fed: rows, labels and weights, 1 where none are given. */
export function* headFeeds(batch: Batch, size: number, given?: readonly number[]) {
  for (let start = 0; start < batch.rows.length; start += size) {
    const count = Math.min(size, batch.rows.length - start);
    const rows = new BigInt64Array(size).fill(BigInt(batch.ids.length - 1));
    const labels = new BigInt64Array(size);
    const weights = new Float32Array(size);
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

type HeadWork = {
  readonly batch: Batch;
  /** [rows of the batch, hidden size]. */
  readonly states: Buffer;
  /** Targets of one run. */
  readonly size: number;
};

/**
 * The same with the rows that belong to the targets taken out beforehand, so that one program of `size` rows serves
 * batches of every shape; `scatter` adds what flows back to those rows to the gradient of all.
 */
function* headRuns({ batch, states, size }: HeadWork) {
  const width = states.shape[1]!;
  const from = states.data as Float32Array;
  const own = BigInt64Array.from({ length: size }, (_, i) => BigInt(i));
  for (const { start, count, feeds } of headFeeds(batch, size, batch.weights)) {
    const x = new Float32Array(size * width);
    for (let i = 0; i < count; i++) {
      const at = batch.rows[start + i]! * width;
      x.set(from.subarray(at, at + width), i * width);
    }
    const scatter = (dx: Buffer, into: Buffer) => {
      const [values, sum] = [dx.data as Float32Array, into.data as Float32Array];
      for (let i = 0; i < count; i++) {
        const at = batch.rows[start + i]! * width;
        for (let k = 0; k < width; k++) sum[at + k]! += values[i * width + k]!;
      }
    };
    const rows = createBuffer("int64", [size], own);
    const picked = { ...feeds, x: createBuffer("float32", [size, width], x), target_rows: rows };
    yield { start, count, feeds: picked, scatter };
  }
}

export type HeadPass = "headForward" | "headBackward";

/** Owns the programs of a decoder's head, which serve batches of every shape. */
export class Head {
  readonly #programs: Programs;

  constructor(device: DeviceOptions) {
    this.#programs = new Programs(device);
  }

  /** Runs the targets of a batch through the head; what it is fed beside them are its weights. */
  async *run(
    pass: HeadPass,
    { setup, feeds, ...work }: Omit<HeadWork, "size"> & { readonly setup: Setup; readonly feeds: Buffers },
  ) {
    const size = headTargets(setup.model.vocab_size);
    const build = { headForward, headBackward }[pass];
    const program = await this.#programs.get(pass, () => build(setup, { rows: size, targets: size }));
    for (const chunk of headRuns({ ...work, size })) {
      yield { ...chunk, out: await program.run({ ...feeds, ...chunk.feeds }) };
    }
  }

  async dispose(): Promise<void> {
    await this.#programs.dispose();
  }
}
