// Loss without training: what held-out answers cost under the model as it stands.

import { type Sequence, targetCount } from "./batch.ts";
import type { Network } from "./network.ts";

/** Negative log-likelihood of each sequence's targets, in nats. */
export async function sequenceLosses(
  engine: Network,
  sequences: readonly Sequence[],
  signal?: AbortSignal,
): Promise<Float64Array> {
  const losses = new Float64Array(sequences.length);
  for (const batch of engine.pack(sequences, 1)) {
    signal?.throwIfAborted();
    const nll = await engine.evaluate(batch);
    batch.owners.forEach((owner, i) => {
      losses[owner]! += nll[i]!;
    });
  }
  return losses;
}

/** Mean over all targets, in nats a target. */
export async function meanLoss(
  engine: Network,
  sequences: readonly Sequence[],
  signal?: AbortSignal,
): Promise<number> {
  const losses = await sequenceLosses(engine, sequences, signal);
  const targets = sequences.reduce((n, sequence) => n + targetCount(sequence), 0);
  return losses.reduce((total, loss) => total + loss, 0) / targets;
}
