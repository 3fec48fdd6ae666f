// Whether an adapter belongs on a model: every array it should have, by name and shape, and none besides. A
// missing array would silently leave the base as it is.

import { UserError } from "../base/errors.ts";
import type { Adapter } from "./adapter.ts";
import type { Adaptable } from "./kind.ts";
import { allArrays } from "./kinds.ts";

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
  const problems = wanted.flatMap(({ name, shape }) => {
    const array = found.get(name);
    if (!array) return [`${name} is missing`];
    return array.shape.join() === shape.join() ? [] : [`${name} is [${array.shape}], expected [${shape}]`];
  });
  problems.push(...[...found.keys()].filter((name) => !known.has(name)).map((name) => `${name} is unknown`));
  if (problems.length === 0) return;
  const shown =
    problems.slice(0, 8).join("; ") + (problems.length > 8 ? `; and ${problems.length - 8} more` : "");
  throw new UserError(
    `Expected an adapter made for this model, found ${problems.length} arrays that differ: ${shown}`,
  );
}
