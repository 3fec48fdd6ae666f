// The architectures by their `model_type`. A new one is a file and a row; to be read from GGUF, it needs a row in
// `weights/gguf-architectures.ts` too.

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import type { ConfigFile } from "./config.ts";
import { llama } from "./llama.ts";
import type { Model } from "./model.ts";

/** Builders by `model_type`. */
export const architectures: Readonly<Record<string, (config: ConfigFile) => Model>> = { llama };

/** The model that a `config.json` describes. */
export function createModel(config: ConfigFile): Model {
  const type = String(config.model_type ?? "");
  const build = Object.hasOwn(architectures, type) ? architectures[type] : undefined;
  if (build) return build(config);
  const known = Object.keys(architectures);
  const near = nearestName(type, known);
  throw new UserError(
    `Expected a model of type ${known.join(", ")}, found model_type ${JSON.stringify(config.model_type)}` +
      `${near ? `; the nearest is ${near}` : ""}; choose another base with --model`,
  );
}
