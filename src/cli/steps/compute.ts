// The compute dial of a run: what was asked for is checked on a few of the run's own examples, and told.

import type { ComputeCheck } from "../../training/calibration.ts";
import type { Network } from "../../training/network.ts";
import type { Resolved } from "../../training/options.ts";
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
