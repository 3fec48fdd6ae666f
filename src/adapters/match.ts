// Whether an adapter belongs on a model: every array it should have, by name and shape, and none besides. A
// missing array would silently leave the base as it is.

import { UserError } from "../base/errors.ts";
import type { Adapter } from "./adapter.ts";
import { loraShapes, targetsOf } from "./lora.ts";

type Layers = {
  readonly linears: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly num_hidden_layers: number;
  readonly blockPrefix: (layer: number) => string;
};

/** Throws one `UserError` that names every mismatch between an adapter and a model. */
export function requireMatch(adapter: Adapter, model: Layers): void {
  const wanted = new Map<string, readonly number[]>();
  for (let layer = 0; layer < model.num_hidden_layers; layer++) {
    for (const target of targetsOf(adapter.config, model.linears)) {
      for (const { name, shape } of loraShapes(adapter.config, target)) {
        wanted.set(model.blockPrefix(layer) + name, shape);
      }
    }
  }
  const problems = [...wanted].flatMap(([name, shape]) => {
    const found = adapter.arrays.get(name);
    if (!found) return [`${name} is missing`];
    return found.shape.join() === shape.join() ? [] : [`${name} is [${found.shape}], expected [${shape}]`];
  });
  problems.push(
    ...[...adapter.arrays.keys()].filter((name) => !wanted.has(name)).map((name) => `${name} is unknown`),
  );
  if (problems.length === 0) return;
  const shown =
    problems.slice(0, 8).join("; ") + (problems.length > 8 ? `; and ${problems.length - 8} more` : "");
  throw new UserError(
    `Expected an adapter made for this model, found ${problems.length} arrays that differ: ${shown}`,
  );
}
