// Whether saved files hold what was trained: they are read back, and the network with what they gave must say of a
// sequence what the trained one says. A file that loads as nothing would leave the base as it is without a word.

import type { Adapter } from "../adapters/adapter.ts";
import { openAdapter } from "../adapters/open.ts";
import { UserError } from "../base/errors.ts";
import type { AnyModel } from "../models/encoder-decoder.ts";
import type { DeviceOptions } from "../runtime/device.ts";
import type { WeightSource } from "../weights/source.ts";
import type { Sequence } from "./batch.ts";
import { type Network, openNetwork } from "./network.ts";

export type SavedCheck = {
  /** Folders that hold the adapter, each whole. */
  readonly folders: readonly string[];
  readonly model: AnyModel;
  readonly read: WeightSource["read"];
  /** The trained network. */
  readonly engine: Network;
  /** Any with a target; short ones cost less. */
  readonly sequence: Sequence;
  readonly device: DeviceOptions;
};

/** Of a target's loss in nats; another order of sums stays far below. */
const TOLERANCE = 1e-3;

/** Throws a `UserError` for the first folder whose adapter, read back, does not do as the trained one does. */
export async function checkSaved(check: SavedCheck): Promise<void> {
  const { folders, model, read, engine, sequence } = check;
  const trained = await lossesOf(engine, sequence);
  for (const folder of folders) {
    const adapter: Adapter = openAdapter(folder, { model, read });
    // On the same base weights, in the form that they were trained on.
    const like = { trainable: "none", device: check.device, like: engine } as const;
    const again = openNetwork({ model, read, adapter, ...like });
    try {
      const found = await lossesOf(again, sequence);
      const difference = Math.max(...found.map((loss, i) => Math.abs(loss - trained[i]!)));
      if (difference <= TOLERANCE * Math.max(1, ...trained.map(Math.abs))) continue;
      throw new UserError(
        `Expected the files in ${folder} to give what was trained, found losses that differ by ${difference.toFixed(4)} nats; the disk may be failing: run this again, it goes on from the last checkpoint`,
      );
    } finally {
      await again.dispose();
    }
  }
}

async function lossesOf(engine: Network, sequence: Sequence): Promise<number[]> {
  const losses: number[] = [];
  for (const batch of engine.pack([sequence], 1)) losses.push(...(await engine.evaluate(batch)));
  return losses;
}
