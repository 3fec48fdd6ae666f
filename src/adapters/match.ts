// Whether an adapter belongs on a model: every array it should have, by name and shape, and none besides. A
// missing array would silently leave the base as it is.

import { UserError } from "../base/errors.ts";
import type { Adapter } from "./adapter.ts";
import type { Adaptable } from "./kind.ts";
import { allArrays } from "./kinds.ts";

const SHOWN = 8;

type Shaped = { readonly shape: readonly number[] };

/** Throws one `UserError` that names every mismatch between an adapter and a model. */
export function requireMatch(adapter: Adapter, model: Adaptable): void {
  requireArrays(allArrays(adapter.config, model), adapter.arrays);
}

/** The same for arrays by whatever names they have. */
export function requireArrays(
  wanted: readonly (Shaped & { readonly name: string })[],
  found: ReadonlyMap<string, Shaped>,
): void {
  const known = new Set(wanted.map(({ name }) => name));
  const wrong = wanted.flatMap(({ name, shape }) => {
    const array = found.get(name);
    if (!array) return [`${name} is missing`];
    return array.shape.join() === shape.join() ? [] : [`${name} is [${array.shape}], expected [${shape}]`];
  });
  const unknown = [...found.keys()].filter((name) => !known.has(name)).map((name) => `${name} is unknown`);
  const count = wrong.length + unknown.length;
  if (count === 0) return;
  throw new UserError(
    `Expected an adapter made for this model, found ${count} arrays that differ: ${firstOf(wrong, unknown)}`,
  );
}

/** Of many differences those shown: some of either sort, as what is missing may be there by another name. */
function firstOf(wrong: readonly string[], unknown: readonly string[]): string {
  const others = unknown.slice(0, Math.max(SHOWN / 2, SHOWN - wrong.length));
  const shown = [...wrong.slice(0, SHOWN - others.length), ...others];
  const left = wrong.length + unknown.length - shown.length;
  return shown.join("; ") + (left > 0 ? `; and ${left} more` : "");
}
