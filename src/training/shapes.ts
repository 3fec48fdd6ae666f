// Programs of a network's blocks for each shape of batch. Their working memory is as large as the batch, so only so many
// shapes are held at a time; what was used longest ago goes first. Knows no weights and runs nothing.

import type { Extent } from "../models/attention.ts";
import type { Parameter } from "../models/model.ts";
import type { DeviceOptions, Executable } from "../runtime/device.ts";
import { Programs } from "../runtime/programs.ts";
import {
  type BlockPlace,
  blockBackward,
  blockForward,
  blockKept,
  blockMasks,
  type KeptPart,
  type Setup,
} from "./stages.ts";

/** A block's program, the masks that it takes and what goes from its forward to its backward pass. */
export type Block = {
  readonly program: Executable;
  readonly masks: readonly Parameter[];
  readonly kept: readonly KeptPart[];
};

/** What is compiled for one shape. */
export class Shape {
  readonly extent: Extent;
  readonly programs: Programs;
  readonly #parts = new Map<string, Omit<Block, "program">>();

  constructor(extent: Extent, device: DeviceOptions, alone: boolean) {
    this.extent = extent;
    this.programs = new Programs(device, alone);
  }

  /** The program of all layers that `variant` names. */
  async block(
    pass: "forward" | "backward",
    setup: Setup,
    { variant, ...place }: BlockPlace & { readonly variant: string },
  ): Promise<Block> {
    const { extent } = this;
    const key = `${place.drops} ${place.keeping} ${variant}`;
    const build = { forward: blockForward, backward: blockBackward }[pass];
    const program = await this.programs.get(`${pass} ${key}`, () => build(setup, extent, place));
    const parts = this.#parts.get(key) ?? {
      masks: blockMasks(setup, extent, place),
      kept: blockKept(setup, extent, place),
    };
    this.#parts.set(key, parts);
    return { program, ...parts };
  }
}

/** Owns the programs of several shapes: as many as have `rows` rows together, and at least the one in use. */
export class Shapes {
  readonly #device: DeviceOptions;
  readonly #rows: number;
  readonly #alone: boolean;
  /** The one used last comes last. */
  readonly #held = new Map<string, Shape>();

  constructor(device: DeviceOptions, rows: number, alone: boolean) {
    this.#device = device;
    this.#rows = rows;
    this.#alone = alone;
  }

  async of(extent: Extent): Promise<Shape> {
    const key = `${extent.batch} ${extent.length} ${extent.reach}`;
    const shape = this.#held.get(key) ?? new Shape(extent, this.#device, this.#alone);
    this.#held.delete(key);
    this.#held.set(key, shape);
    for (const [other, { programs }] of this.#held) {
      if (other === key || this.#size() <= this.#rows) break;
      this.#held.delete(other);
      await programs.dispose();
    }
    return shape;
  }

  #size(): number {
    return [...this.#held.values()].reduce((rows, { extent }) => rows + extent.batch * extent.length, 0);
  }

  async dispose(): Promise<void> {
    for (const { programs } of this.#held.values()) await programs.dispose();
    this.#held.clear();
  }
}
