// Renders examples for a run and shows how far it is.

import type { Example } from "../../dataset/example.ts";
import { type Fitting, renderFitting } from "../../dataset/fitting.ts";
import type { Face } from "./face.ts";

export async function renderStep(
  examples: Iterable<Example>,
  how: Parameters<typeof renderFitting>[1],
  { progress, signal }: Face,
): Promise<Fitting> {
  const rendering = renderFitting(examples, how);
  for (;;) {
    signal.throwIfAborted();
    const next = await rendering.next();
    if (next.done) {
      progress.finish();
      return next.value;
    }
    progress.update({ label: "tokens", done: next.value, unit: "examples" });
  }
}
