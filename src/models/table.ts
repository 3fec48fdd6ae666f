// The architectures by their `model_type`. A new one is a file and a row; to be read from GGUF, it needs a row in
// `weights/gguf-architectures.ts` too.

import { UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import { showText, showValue } from "../base/show.ts";
import type { ConfigFile } from "./config.ts";
import type { AnyModel, EncoderDecoder } from "./encoder-decoder.ts";
import { llama } from "./llama.ts";
import { longt5 } from "./longt5.ts";
import type { Model } from "./model.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { t5 } from "./t5.ts";
import { type XLNet, xlnet } from "./xlnet.ts";

/** Builders by `model_type`. */
export const architectures: Readonly<Record<string, (config: ConfigFile) => Model>> = {
  llama,
  qwen2,
  qwen3,
};

/** Builders of those with an encoder and a decoder. */
export const encoderDecoders: Readonly<Record<string, (config: ConfigFile) => EncoderDecoder>> = {
  longt5,
  t5,
};

/** Builders of those with two streams. */
export const twoStreams: Readonly<Record<string, (config: ConfigFile) => XLNet>> = { xlnet };

/** The decoder-only model that a `config.json` describes. */
export function createModel(config: ConfigFile): Model {
  return build(config, architectures);
}

const all: Builders<AnyModel> = { ...architectures, ...encoderDecoders, ...twoStreams };

/** The model of any kind that a `config.json` describes. */
export function createAnyModel(config: ConfigFile): AnyModel {
  return build(config, all);
}

/** Throws a `UserError` for a `config.json` of another kind of model: to be asked before weights are looked for. */
export function requireArchitecture(config: ConfigFile): void {
  builderOf(config, all);
}

type Builders<M> = Readonly<Record<string, (config: ConfigFile) => M>>;

function build<M>(config: ConfigFile, builders: Builders<M>): M {
  return builderOf(config, builders)(config);
}

function builderOf<M>(config: ConfigFile, builders: Builders<M>): (config: ConfigFile) => M {
  const type = String(config.model_type ?? "");
  const found = Object.hasOwn(builders, type) ? builders[type] : undefined;
  if (found) return found;
  const known = Object.keys(builders);
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
