// Buffers by name that are used again from run to run, so that working memory does not grow with the number of runs.

import { isSameShape, sizeOf } from "../base/dtype.ts";
import { type Buffer, type Buffers, createBuffer } from "../runtime/device.ts";

type Parameters = readonly { readonly name: string; readonly shape: readonly number[] }[];

/** Owns f32 buffers; what one holds is the affair of whoever asks for it by that name. */
export class Pool {
  readonly #held = new Map<string, Buffer>();
  readonly #groups = new Map<string, { readonly parameters: Parameters; readonly buffers: Buffers }>();

  /** The buffer of that name; of another shape than before it views or replaces its memory. */
  get(name: string, shape: readonly number[]): Buffer {
    const held = this.#held.get(name);
    if (held && isSameShape(held.shape, shape)) return held;
    const size = sizeOf(shape);
    const memory = held?.data.buffer as ArrayBuffer | undefined;
    const fits = memory !== undefined && memory.byteLength >= size * 4;
    const data = fits ? new Float32Array(memory, 0, size) : new Float32Array(size);
    const buffer = createBuffer("float32", shape, data);
    this.#held.set(name, buffer);
    return buffer;
  }

  /** Buffers of all `parameters`, held under their names with `place` before them and given by their names alone. */
  all(place: string, parameters: Parameters): Buffers {
    const found = this.#groups.get(place);
    if (found?.parameters === parameters) return found.buffers;
    const buffers = Object.fromEntries(
      parameters.map(({ name, shape }) => [name, this.get(`${place} ${name}`, shape)]),
    );
    this.#groups.set(place, { parameters, buffers });
    return buffers;
  }

  /** Buffers of the same names and shapes as those. */
  like(place: string, buffers: Buffers): Buffers {
    const shapes = Object.entries(buffers).map(([name, { shape }]) => ({ name, shape }));
    return this.all(place, shapes);
  }

  clear(): void {
    this.#groups.clear();
    this.#held.clear();
  }
}
