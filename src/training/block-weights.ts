// Base weights of the blocks as their programs take them: held in memory, or read anew for every run where memory does
// not hold them. Knows no form of weights; what is put in is given out.

import { type Buffer, type Buffers, createBuffer } from "../runtime/device.ts";
import { collectGarbage } from "../runtime/garbage.ts";
import type { WeightSource } from "../weights/source.ts";

type Parameter = { readonly name: string; readonly shape: readonly number[] };

export type BlockSource = {
  readonly read: WeightSource["read"];
  readonly blockPrefix: (layer: number) => string;
  /** Arrays of one block, by their names within it. */
  readonly parameters: readonly Parameter[];
};

/** Sees of each layer its weights as f32 and what was observed in it. */
export type Observer = (layer: number, weights: Buffers, observed: Buffers) => void;

/** Bytes of weights that may lie about before they are collected. */
const LOOSE = 2 ** 25;

export class BlockWeights {
  readonly #source: BlockSource;
  readonly #held = new Map<number, Buffers>();
  /** Bytes read since garbage was last collected. */
  #loose = 0;

  constructor(source: BlockSource) {
    this.#source = source;
  }

  /** What is held of a layer, else what its file says. */
  feeds(layer: number): Buffers {
    const held = this.#held.get(layer);
    if (held) return held;
    // Those of the layers before are garbage by now, and their memory is what this one needs.
    if (this.#loose > LOOSE) {
      collectGarbage();
      this.#loose = 0;
    }
    const read = this.read(layer);
    for (const { data } of Object.values(read)) this.#loose += data.byteLength;
    return read;
  }

  /** Arrays of a layer as the file has them, f32; all, or those named. */
  read(layer: number, names?: readonly string[]): Buffers {
    const { read, blockPrefix, parameters } = this.#source;
    const wanted = names ? parameters.filter(({ name }) => names.includes(name)) : parameters;
    const entries = wanted.map(({ name, shape }): [string, Buffer] => [
      name,
      createBuffer("float32", shape, read(blockPrefix(layer) + name)),
    ]);
    return Object.fromEntries(entries);
  }

  hold(layer: number, buffers: Buffers): void {
    this.#held.set(layer, buffers);
  }

  clear(): void {
    this.#held.clear();
  }
}

type Outer = { readonly embeddingParameter: Parameter; readonly headParameters: readonly Parameter[] };

/** Parameters outside the blocks; a tied head's matrix once. */
export function outerOf(model: Outer): Parameter[] {
  const unique = new Map([model.embeddingParameter, ...model.headParameters].map((p) => [p.name, p]));
  return [...unique.values()];
}
