// Renders examples for a run and shows how far it is.

import type { Example } from "../../dataset/example.ts";
import { type FitRule, type Fitting, type Packed, renderFitting } from "../../dataset/fitting.ts";
import type { Rendered } from "../../dataset/render.ts";
import type { Face } from "./face.ts";

/** An item of training: its ids, its commit and what to call it, and no texts. */
export type RenderedItem = { readonly rendered: Rendered; readonly commit: string; readonly name: string };

/** Examples as ids. */
export function renderStep(
  examples: Iterable<Example>,
  rule: FitRule,
  face: Face,
): Promise<Fitting<RenderedItem>> {
  return follow(
    renderFitting(examples, rule, (rendered, packed) => ({ rendered, ...namesOf(packed) })),
    face,
  );
}

function namesOf({ examples }: Packed): { commit: string; name: string } {
  const commit = examples[0]!.commit;
  return { commit, name: `${commit.slice(0, 10)} ${examples.map(({ path }) => path).join(", ")}` };
}

/** An item that is measured: its ids, and what the model is asked. */
export type HeldOutItem = RenderedItem & { readonly packed: Packed };

/** Held-out examples as ids, with their requests. */
export function renderHeldOut(
  examples: Iterable<Example>,
  rule: Omit<FitRule, "purpose">,
  face: Face,
): Promise<Fitting<HeldOutItem>> {
  const keep = (rendered: Rendered, packed: Packed) => ({ rendered, packed, ...namesOf(packed) });
  return follow(renderFitting(examples, { ...rule, purpose: "measure" }, keep), face);
}

async function follow<T>(
  rendering: AsyncGenerator<number, Fitting<T>>,
  { progress, signal }: Face,
): Promise<Fitting<T>> {
  for (;;) {
    signal.throwIfAborted();
    const next = await rendering.next();
    if (next.done) {
      progress.finish();
      return next.value;
    }
    progress.update({ label: "tokens", done: next.value, unit: "changes" });
  }
}
