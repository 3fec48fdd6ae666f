// The architectures by their `model_type`. A new one is a file and a row; to be read from GGUF, it needs a row in
// `weights/gguf-architectures.ts` too.

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import { showText, showValue } from "../base/show.ts";
import type { ConfigFile } from "./config.ts";
import type { EncoderDecoder } from "./encoder-decoder.ts";
import { llama } from "./llama.ts";
import type { Model } from "./model.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { t5 } from "./t5.ts";

/** Builders by `model_type`. */
export const architectures: Readonly<Record<string, (config: ConfigFile) => Model>> = {
  llama,
  qwen2,
  qwen3,
};

/** Builders of those with an encoder and a decoder. */
export const encoderDecoders: Readonly<Record<string, (config: ConfigFile) => EncoderDecoder>> = { t5 };

/** The model that a `config.json` describes. */
export function createModel(config: ConfigFile): Model {
  const type = String(config.model_type ?? "");
  const build = Object.hasOwn(architectures, type) ? architectures[type] : undefined;
  if (build) return build(config);
  const known = Object.keys(architectures);
  const near = nearestModel(type, known);
  throw new UserError(
    `Expected a model of type ${known.join(", ")}, found model_type ${showValue(config.model_type)}` +
      `${near ? `; the nearest is ${near}` : ""}; choose another base with --model`,
  );
}

/** The one whose name begins the type's (qwen3_moe: qwen3), else one that is a slip of the hand away. */
function nearestModel(type: string, known: readonly string[]): string | undefined {
  const shown = showText(type).toLowerCase();
  const stems = known.filter((name) => shown.startsWith(name) || (shown !== "" && name.startsWith(shown)));
  return stems[0] ?? nearestName(shown, known) ?? LLAMA_LIKE.get(shown);
}

/** Of the same family but for details, by transformers' `model_type`. */
const LLAMA_LIKE: ReadonlyMap<string, string> = new Map(
  [
    "mistral",
    "mixtral",
    "smollm3",
    "gemma",
    "gemma2",
    "phi3",
    "olmo",
    "olmo2",
    "stablelm",
    "granite",
    "starcoder2",
  ].map((type) => [type, "llama"]),
);
