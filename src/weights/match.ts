// Holds the parameters that a model wants against what a source has, all at once. It knows neither model nor
// format.

import { UserError } from "../base/errors.ts";
import { showText } from "../base/show.ts";
import type { WeightSource } from "./source.ts";

export type WantedParameter = { readonly name: string; readonly shape: readonly number[] };

/** `found` is undefined for a parameter that the source lacks. */
export type Mismatch = {
  readonly name: string;
  readonly wanted: readonly number[];
  readonly found: readonly number[] | undefined;
};

const SHOWN = 20;

/** Every wanted parameter that is missing or has another shape. */
export function matchParameters(
  wanted: readonly WantedParameter[],
  source: Pick<WeightSource, "arrays">,
): Mismatch[] {
  return wanted
    .map(({ name, shape }) => ({ name, wanted: shape, found: source.arrays.get(name)?.shape }))
    .filter((pair) => pair.found === undefined || !sameShape(pair.wanted, pair.found));
}

/** Throws one `UserError` that lists every mismatch. */
export function requireParameters(
  wanted: readonly WantedParameter[],
  source: Pick<WeightSource, "arrays" | "name">,
): void {
  const mismatches = matchParameters(wanted, source);
  if (mismatches.length === 0) return;
  const lines = mismatches.slice(0, SHOWN).map(describe);
  if (mismatches.length > SHOWN) lines.push(`and ${mismatches.length - SHOWN} more`);
  throw new UserError(
    `Expected ${wanted.length} arrays in ${source.name}, found ${mismatches.length} missing or of another shape: its config does not belong to its weights\n  ${lines.join("\n  ")}`,
  );
}

function describe({ name, wanted, found }: Mismatch): string {
  return `${showText(name)}: expected [${wanted.join(", ")}], found ${found === undefined ? "nothing" : `[${found.join(", ")}]`}`;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}
