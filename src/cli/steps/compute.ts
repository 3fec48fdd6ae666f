// The compute dial and the memory of a run: what was asked for is checked on a few of the run's own examples, what is
// left of memory goes into keeping what would else be computed twice, and both are told.

import { totalmem } from "node:os";
import type { Adapter } from "../../adapters/adapter.ts";
import type { ComputeCheck } from "../../training/calibration.ts";
import { type KeptPlan, planKeeping } from "../../training/keeping.ts";
import type { Network } from "../../training/network.ts";
import type { Resolved } from "../../training/options.ts";
import type { Plan, Shape } from "../../training/plan.ts";
import { formatBytes } from "../units.ts";
import type { Face } from "./face.ts";
import type { Material } from "./material.ts";

/** Makes a network ready for its dial and says what the check found, and what is used. */
export async function prepareCompute(
  { engine, options, material }: { engine: Network; options: Resolved; material: Material },
  { progress }: Face,
): Promise<ComputeCheck | null> {
  if (options.compute === "f32") return null;
  progress.line("Checking eight-bit products on a few examples");
  const check = (await engine.prepare?.(material.train.map(({ rendered }) => rendered))) ?? null;
  if (check) progress.line(describeCheck(check));
  else progress.line("Nothing here is computed on eight-bit integers: everything that could be is trained");
  return check;
}

/** One line: both losses, the cosine, and the verdict. */
export function describeCheck({ f32_loss, int8_loss, cosine, passed }: ComputeCheck): string {
  return (
    `Loss ${int8_loss.toFixed(4)} on eight-bit integers, ${f32_loss.toFixed(4)} in f32; gradients agree to ` +
    `${cosine.toFixed(4)}: ${passed ? "near enough" : "too far apart, f32 is used"}`
  );
}

const NOTHING: KeptPlan = { keeping: "nothing", kept_layers: 0, kept: 0 };

/** Without a budget half of the machine's memory is the limit for what is kept. */
const SHARE = 0.5;

/** A plan with what its forward passes keep, within the budget. */
export function planMemory(
  { shape, adapter }: { shape: Shape; adapter: Adapter | null },
  plan: Plan,
  { memory }: Pick<Resolved, "memory">,
): { sizes: Plan; kept: KeptPlan } {
  const { model } = shape;
  if (model.kind !== "decoder") return { sizes: plan, kept: NOTHING };
  const kept = planKeeping(
    { shape: { ...shape, model }, adapter: adapter?.config ?? null },
    plan,
    memory ?? SHARE * totalmem(),
  );
  return { sizes: { ...plan, memory: plan.memory + kept.kept }, kept };
}

/** What was chosen, in lines. */
export function explainPlan(plan: Plan, { keeping, kept_layers, kept }: KeptPlan): string[] {
  const what = {
    nothing: "Nothing of the forward pass is kept: every block is computed again on the way back",
    linear: `Of the last ${kept_layers} blocks all but attention's probabilities is kept`,
    all: `Of all ${kept_layers} blocks everything dear is kept: nothing is computed twice`,
  }[keeping];
  return [
    `Sequences of at most ${plan.max_length} tokens, ${plan.batch} at a time`,
    `${what} (${formatBytes(kept)})`,
    plan.arena
      ? "Working memory is held from run to run"
      : "Working memory is given back after every run, which is slower and takes less",
    `Predicted peak: ${formatBytes(plan.memory)}`,
  ];
}
