// Buffers by name that are used again from run to run, so that working memory does not grow with the number of runs.

import { bytesPerElement, type DType, isSameShape, sizeOf } from "../base/dtype.ts";
import { type Buffer, type Buffers, createBuffer } from "../runtime/device.ts";
import { collectGarbage } from "../runtime/garbage.ts";

const VIEWS = { float16: Uint16Array, int8: Int8Array } as const;

type Parameters = readonly {
  readonly name: string;
  readonly shape: readonly number[];
  /** f32, f16 or int8; f32 when not given. */
  readonly dtype?: DType;
}[];

/** Bytes of outgrown memory that may lie about before they are collected. */
const LOOSE = 2 ** 24;

/** Buffers of a group begin at multiples of so many numbers: what a line of the cache holds. */
const LINE = 16;

type Group = { readonly parameters: Parameters; readonly buffers: Buffers; readonly memory: ArrayBuffer };

/** Owns buffers, f32 but where another type is asked for; what one holds is the affair of whoever asks for it by that name. */
export class Pool {
  readonly #held = new Map<string, Buffer>();
  readonly #groups = new Map<string, Group>();
  /** Rows of the largest batch that is expected; 0 where that is not known. */
  readonly #rows: number;
  /** How many times the memory of a batch the largest one needs. */
  #times = 1;
  /** Bytes that were replaced since garbage was last collected. */
  #loose = 0;

  constructor(rows: number = 0) {
    this.#rows = rows;
  }

  /** What is asked for from now on is that of a batch of so many rows; its memory does for the largest as well. */
  begin(rows: number): void {
    this.#times = Math.max(1, this.#rows / rows);
  }

  /** The buffer of that name; of another shape than before it views or replaces its memory. */
  get(name: string, shape: readonly number[]): Buffer {
    const held = this.#held.get(name);
    if (held && isSameShape(held.shape, shape)) return held;
    const size = sizeOf(shape);
    const memory = this.#memory(held?.data.buffer as ArrayBuffer | undefined, size);
    const buffer = createBuffer("float32", shape, new Float32Array(memory, 0, size));
    this.#held.set(name, buffer);
    return buffer;
  }

  /**
   * Buffers of all `parameters` under their names, in one piece of memory: that of the last call for this place, whatever
   * its parts were, if it is large enough.
   */
  all(place: string, parameters: Parameters): Buffers {
    const found = this.#groups.get(place);
    if (found?.parameters === parameters) return found.buffers;
    const sizes = parameters.map(({ shape, dtype = "float32" }) => {
      return Math.ceil((sizeOf(shape) * bytesPerElement[dtype]) / 4 / LINE) * LINE;
    });
    const memory = this.#memory(
      found?.memory,
      sizes.reduce((sum, size) => sum + size, 0),
    );
    let at = 0;
    const buffers = parameters.map(({ name, shape, dtype = "float32" }, i): [string, Buffer] => {
      const View = VIEWS[dtype as keyof typeof VIEWS] ?? Float32Array;
      const data = new View(memory, 4 * at, sizeOf(shape));
      at += sizes[i]!;
      return [name, createBuffer(dtype, shape, data)];
    });
    const group = { parameters, buffers: Object.fromEntries(buffers), memory };
    this.#groups.set(place, group);
    return group.buffers;
  }

  /** Buffers of the same names and shapes as those. */
  like(place: string, buffers: Buffers): Buffers {
    const shapes = Object.entries(buffers).map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
    return this.all(place, shapes);
  }

  /** Memory for so many numbers: what was there before, if that is enough. */
  #memory(before: ArrayBuffer | undefined, size: number): ArrayBuffer {
    if (before && before.byteLength >= 4 * size) return before;
    const memory = new ArrayBuffer(4 * Math.ceil(size * this.#times));
    if (before) this.#letGo(before.byteLength);
    return memory;
  }

  /** Left to itself garbage would be all that the longest batch before this one needed. */
  #letGo(bytes: number): void {
    this.#loose += bytes;
    if (this.#loose < LOOSE) return;
    collectGarbage();
    this.#loose = 0;
  }

  clear(): void {
    this.#groups.clear();
    this.#held.clear();
  }
}
