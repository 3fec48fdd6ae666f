// Where gradients land: at once in the trained arrays' own where these are all zero, else in buffers from which they are
// added to them.

import type { Buffer, Buffers } from "../runtime/device.ts";
import { createBuffer } from "../runtime/device.ts";
import { buffersUnder } from "../runtime/programs.ts";
import type { Pool } from "./pool.ts";
import { addInto, type Trained } from "./trained.ts";

/** The gradients of trained arrays, as a device writes them. */
export class Gradients {
  /** Every trained array by full name. */
  readonly trained = new Map<string, Trained>();
  readonly #buffers = new Map<string, Buffer>();
  /** Those of a block by its prefix. */
  readonly #blocks = new Map<string, Buffers>();
  /** What is added to those. */
  readonly #added = new Map<string, Buffers>();
  /** Whether all are zero. */
  isClear = true;

  add(name: string, { shape, data }: Pick<Buffer, "shape" | "data">): void {
    const gradient = new Float32Array(data.length);
    this.trained.set(name, { shape, data: data as Float32Array, gradient });
    this.#buffers.set(name, createBuffer("float32", shape, gradient));
  }

  /** What a program writes the gradients of a block to, by the names of its outputs. */
  outputs(prefix: string, pool: Pool): Buffers {
    const own = this.#blocks.get(prefix) ?? buffersUnder(this.#buffers, prefix, "d:");
    this.#blocks.set(prefix, own);
    if (this.isClear) return own;
    const added = this.#added.get(prefix) ?? pool.like("added", own);
    this.#added.set(prefix, added);
    return added;
  }

  /** Adds a program's gradients to those of the arrays that have their names with `prefix` before them. */
  collect(outputs: Buffers, prefix: string): void {
    for (const [name, { data }] of Object.entries(outputs)) {
      if (name.startsWith("d:"))
        addInto(this.trained.get(prefix + name.slice(2))!.gradient, data as Float32Array);
    }
  }

  clear(): void {
    for (const { gradient } of this.trained.values()) gradient.fill(0);
    this.isClear = true;
  }
}
