// A model folder in Hugging Face's layout, read and written: config.json, weights (safetensors or PyTorch's own, whole
// or in shards), tokenizer files. The tokenizer files are handed on as texts, or bytes.

import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson, readText, writeFileAtomic } from "../base/files.ts";
import { showText, showValue } from "../base/show.ts";
import { hashFiles } from "./file.ts";
import { LAYOUTS, TOKENIZER_MODELS, tokenizerNames, type WeightLayout } from "./folder-files.ts";
import { openPytorch } from "./pytorch.ts";
import { type ArrayToWrite, openSafetensors, writeSafetensors } from "./safetensors.ts";
import type { ArrayInfo, WeightSource } from "./source.ts";

const MOST_SHARDS = 1000;
/** Bytes of a file that is read whole; the largest published tokenizer has half of it. */
const LARGEST_TEXT = 64 * 1024 * 1024;

/** A file of named arrays, of either kind. */
type Shard = {
  readonly path: string;
  readonly arrays: ReadonlyMap<string, ArrayInfo>;
  read(name: string): Float32Array<ArrayBuffer>;
  dispose(): void;
};

/** What may be wrong with a config.json beside what is checked here: throws where something is. */
export type ConfigCheck = (config: Readonly<Record<string, unknown>>) => void;

/** Opens a model folder; headers are read and checked at once, weights when asked for. */
export function openFolder(path: string, check?: ConfigCheck): WeightSource {
  const config = readConfig(path);
  // Before weights are missed that would not have been of use.
  check?.(config);
  const files = weightFiles(path).map((name) => join(path, name));
  const shards: Shard[] = [];
  const dispose = () => {
    for (const shard of shards) shard.dispose();
  };
  try {
    for (const file of files) shards.push(openShard(file));
    const owners = ownersOf(shards);
    return {
      name: path,
      config: settled(config, owners),
      arrays: new Map(
        [...owners].map(([name, owner]): [string, ArrayInfo] => [name, owner.arrays.get(name)!]),
      ),
      tokenizer: { kind: "files", files: tokenizerFiles(path) },
      read(name) {
        const owner = owners.get(name);
        if (owner === undefined) throw new UserError(`Expected an array ${name} in ${path}, found none`);
        return owner.read(name);
      },
      hash: () => hashFiles(files),
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/**
 * What transformers 5 no longer says in a T5's config.json: its head is tied where the weights have none of its own, and
 * scaled where it says so or, as up to transformers 4, where it says tied
 * (transformers:src/transformers/models/t5/configuration_t5.py).
 */
function settled(
  config: Record<string, unknown>,
  arrays: ReadonlyMap<string, unknown>,
): Record<string, unknown> {
  if (!["t5", "mt5", "umt5", "longt5"].includes(String(config.model_type))) return config;
  return {
    ...config,
    scale_decoder_outputs: config.scale_decoder_outputs ?? config.tie_word_embeddings !== false,
    tie_word_embeddings: !arrays.has("lm_head.weight"),
  };
}

export type ModelFolder = {
  readonly config: Readonly<Record<string, unknown>>;
  readonly arrays: ReadonlyMap<string, ArrayToWrite>;
  /** File name to content. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
};

/** Writes a model folder that `openFolder` and Hugging Face's loaders read; `config.json` last. */
export function writeModelFolder(path: string, model: ModelFolder): void {
  writeSafetensors(join(path, LAYOUTS[0].whole), model.arrays);
  for (const [name, content] of Object.entries(model.tokenizerFiles)) {
    writeFileAtomic(join(path, name), content);
  }
  writeFileAtomic(join(path, "config.json"), configText(model.config));
}

/** Keys whose values transformers refuses as whole numbers, which is what JSON here makes of 1.0. */
const FLOATS =
  /^(\s*"(?:initializer_(?:factor|range)|\w+_eps(?:ilon)?|\w*dropout(?:_rate)?|rope_theta)": -?\d+)(?=,?$)/gm;

function configText(config: ModelFolder["config"]): string {
  return `${JSON.stringify(config, null, 2)}\n`.replace(FLOATS, "$1.0");
}

function readConfig(path: string): Record<string, unknown> {
  const file = join(path, "config.json");
  if (!existsSync(file)) {
    const advice = existsSync(join(path, "adapter_config.json"))
      ? "this is an adapter, give the folder of its base model"
      : "give a folder in Hugging Face layout or a .gguf file";
    throw new UserError(`Expected config.json in the model folder ${path}, found none: ${advice}`);
  }
  requireModest(file);
  const config = readJson(file);
  if (!isRecord(config) || typeof config.model_type !== "string") {
    throw new UserError(
      `Expected an object with the text model_type in ${file}, found none: the folder is not a complete model`,
    );
  }
  return config;
}

function openShard(path: string): Shard {
  return path.endsWith(LAYOUTS[0].ending) ? openSafetensors(path) : openPytorch(path);
}

function weightFiles(path: string): string[] {
  for (const layout of LAYOUTS) {
    if (existsSync(join(path, layout.whole))) return [layout.whole];
    if (existsSync(join(path, layout.index))) return shardNames(join(path, layout.index), layout);
  }
  const names = LAYOUTS.flatMap(({ whole, index }) => [whole, index]).join(", ");
  throw new UserError(
    `Expected one of ${names} in ${path}, found none: put its weights beside config.json, or save the model there again`,
  );
}

function shardNames(index: string, { ending }: WeightLayout): string[] {
  requireModest(index);
  const content = readJson(index);
  const map = isRecord(content) ? content.weight_map : undefined;
  if (!isRecord(map)) throw new UserError(`Expected an object weight_map in ${index}, found none`);
  const names = [...new Set(Object.values(map))].sort();
  for (const name of names) {
    // An index must not lead out of its folder.
    if (typeof name !== "string" || name !== basename(name) || !name.endsWith(ending)) {
      throw new UserError(`Expected names of ${ending} files beside ${index}, found ${showValue(name)}`);
    }
  }
  if (names.length > MOST_SHARDS) {
    throw new UserError(`Expected at most ${MOST_SHARDS} files in ${index}, found ${names.length}`);
  }
  return names as string[];
}

function ownersOf(shards: readonly Shard[]): Map<string, Shard> {
  const owners = new Map<string, Shard>();
  for (const shard of shards) {
    for (const name of shard.arrays.keys()) {
      const other = owners.get(name);
      if (other !== undefined) {
        throw new UserError(
          `Expected ${showText(name)} in one file only, found it in ${other.path} and ${shard.path}`,
        );
      }
      owners.set(name, shard);
    }
  }
  return owners;
}

function tokenizerFiles(path: string): Record<string, string | Uint8Array> {
  const present = tokenizerNames((name) => existsSync(join(path, name)));
  return Object.fromEntries(present.map((name) => [name, readTokenizerFile(path, name)]));
}

function readTokenizerFile(path: string, name: string): string | Uint8Array {
  const file = join(path, name);
  if (!TOKENIZER_MODELS.includes(name)) return readModestText(file);
  requireModest(file);
  return new Uint8Array(readFileSync(file));
}

/** Refuses a file that is too large to be read whole. */
function requireModest(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= LARGEST_TEXT) return;
  throw new UserError(
    `Expected at most ${LARGEST_TEXT} bytes in ${path}, found ${size}: it is not what its name says, get it again`,
  );
}

function readModestText(path: string): string {
  requireModest(path);
  return readText(path);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
