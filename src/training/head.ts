// How targets go through the head: so many at a time that their logits stay small, whatever the vocabulary. The same for
// every kind of network.

import { type Buffer, type Buffers, createBuffer, type DeviceOptions } from "../runtime/device.ts";
import { Programs } from "../runtime/programs.ts";
import type { Batch } from "./batch.ts";
import { headBackward, headForward, type Setup } from "./stages.ts";
import {
  carriedBuffers,
  goesInParts,
  type HeadExtent,
  headEnd,
  headMatrix,
  headNormal,
  headPart,
  matrixParts,
} from "./vocabulary.ts";

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

type Given = { readonly setup: Setup; readonly feeds: Buffers };

/** Sizes of a run that goes through the vocabulary in parts. */
const SIZES = [64, 128];
/** Twice as many at a time are a fifteenth faster and hold half as much again. */
export const MOST_TARGETS = 256;

/**
 * Owns the programs of a decoder's head, which serve batches of every shape. In parts they are those of one size and
 * pass: working memory of every size takes as much as a block's, and compiling them anew some ten milliseconds.
 */
export class Head {
  readonly #programs: Programs;
  /** Pass and size of the programs that are held. */
  #held = "";
  /** The parts of the head's matrix, which are views of it. */
  #parts: { readonly matrix: Buffer; readonly parts: ReturnType<typeof matrixParts> } | null = null;

  constructor(device: DeviceOptions) {
    this.#programs = new Programs(device);
  }

  /** Runs the targets of a batch through the head; what it is fed beside them are its weights. */
  run(pass: HeadPass, work: Omit<HeadWork, "size"> & Given) {
    return goesInParts(work.setup) ? this.#inParts(pass, work) : this.#whole(pass, work);
  }

  async *#inParts(pass: HeadPass, { setup, feeds, ...work }: Omit<HeadWork, "size"> & Given) {
    const size = SIZES.find((most) => work.batch.rows.length <= most) ?? MOST_TARGETS;
    const held = `${pass} ${size}`;
    if (held !== this.#held) await this.#programs.dispose();
    this.#held = held;
    const extent = { targets: size, backward: pass === "headBackward" };
    const end = await this.#programs.get("end", () => headEnd(setup, extent));
    for (const chunk of headRuns({ ...work, size })) {
      const carried = await this.#carry(chunk.feeds.x, extent, { setup, feeds });
      yield { ...chunk, out: await end.run({ ...feeds, ...chunk.feeds, ...carried }) };
    }
  }

  /** What comes out of the last part of the matrix. */
  async #carry(x: Buffer, extent: HeadExtent, { setup, feeds }: Given): Promise<Buffers> {
    const first = await this.#programs.get("normal", () => headNormal(setup, extent.targets));
    const part = await this.#programs.get("part", () => headPart(setup, extent));
    const { normal } = await first.run({ ...feeds, x });
    const width = setup.model.hidden_size;
    let [held, next] = [carriedBuffers(extent, width), carriedBuffers(extent, width)];
    for (const { rows, bias } of this.#partsOf(feeds[headMatrix(setup.model).name]!)) {
      const into = Object.fromEntries(Object.entries(next).map(([name, buffer]) => [`next:${name}`, buffer]));
      await part.run({ ...held, normal: normal!, rows, bias }, into);
      [held, next] = [next, held];
    }
    return held;
  }

  #partsOf(matrix: Buffer) {
    if (this.#parts?.matrix !== matrix) this.#parts = { matrix, parts: matrixParts(matrix) };
    return this.#parts.parts;
  }

  async *#whole(pass: HeadPass, { setup, feeds, ...work }: Omit<HeadWork, "size"> & Given) {
    const size = headTargets(setup.model.vocab_size);
    const build = { headForward, headBackward }[pass];
    const program = await this.#programs.get(pass, () => build(setup, { rows: size, targets: size }));
    for (const chunk of headRuns({ ...work, size })) {
      yield { ...chunk, out: await program.run({ ...feeds, ...chunk.feeds }) };
    }
  }

  async dispose(): Promise<void> {
    this.#parts = null;
    await this.#programs.dispose();
  }
}
