// Buffers by name that are used again from run to run, so that working memory does not grow with the number of runs.

import { isSameShape, sizeOf } from "../base/dtype.ts";
import { type Buffer, createBuffer } from "../runtime/device.ts";

/** Owns f32 buffers; what one holds is the affair of whoever asks for it by that name. */
export class Pool {
  readonly #held = new Map<string, Buffer>();

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

  clear(): void {
    this.#held.clear();
  }
}
