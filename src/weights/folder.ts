// A model folder in Hugging Face's layout, read and written: config.json, model.safetensors (whole or in shards),
// tokenizer files. The tokenizer files are handed on as texts.

import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson, readText, writeFileAtomic, writeJson } from "../base/files.ts";
import { hashFiles } from "./file.ts";
import { type ArrayToWrite, openSafetensors, type SafetensorsFile, writeSafetensors } from "./safetensors.ts";
import type { ArrayInfo, WeightSource } from "./source.ts";

const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const MOST_SHARDS = 1000;
const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
];

/** Opens a model folder; headers are read and checked at once, weights when asked for. */
export function openFolder(path: string): WeightSource {
  const config = readConfig(path);
  const files = weightFiles(path).map((name) => join(path, name));
  const shards: SafetensorsFile[] = [];
  const dispose = () => {
    for (const shard of shards) shard.dispose();
  };
  try {
    for (const file of files) shards.push(openSafetensors(file));
    const owners = ownersOf(shards);
    return {
      name: path,
      config,
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

export type ModelFolder = {
  readonly config: Readonly<Record<string, unknown>>;
  readonly arrays: ReadonlyMap<string, ArrayToWrite>;
  /** File name to content. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
};

/** Writes a model folder that `openFolder` and Hugging Face's loaders read; `config.json` last. */
export function writeModelFolder(path: string, model: ModelFolder): void {
  writeSafetensors(join(path, WEIGHTS), model.arrays);
  for (const [name, content] of Object.entries(model.tokenizerFiles)) {
    writeFileAtomic(join(path, name), content);
  }
  writeJson(join(path, "config.json"), model.config);
}

function readConfig(path: string): Record<string, unknown> {
  const file = join(path, "config.json");
  if (!existsSync(file)) {
    const advice = existsSync(join(path, "adapter_config.json"))
      ? "this is an adapter, give the folder of its base model"
      : "give a folder in Hugging Face layout or a .gguf file";
    throw new UserError(`Expected config.json in the model folder ${path}, found none: ${advice}`);
  }
  const config = readJson(file);
  if (!isRecord(config) || typeof config.model_type !== "string") {
    throw new UserError(
      `Expected an object with the text model_type in ${file}, found none: the folder is not a complete model`,
    );
  }
  return config;
}

function weightFiles(path: string): string[] {
  if (existsSync(join(path, WEIGHTS))) return [WEIGHTS];
  if (existsSync(join(path, INDEX))) return shardNames(join(path, INDEX));
  const pickles = readdirSync(path).filter((name) => /^pytorch_model.*\.bin$/.test(name));
  const found = pickles.length > 0 ? `${pickles[0]}, which is not read` : "neither";
  throw new UserError(
    `Expected ${WEIGHTS} or ${INDEX} in ${path}, found ${found}: save the model as safetensors`,
  );
}

function shardNames(index: string): string[] {
  const content = readJson(index);
  const map = isRecord(content) ? content.weight_map : undefined;
  if (!isRecord(map)) throw new UserError(`Expected an object weight_map in ${index}, found none`);
  const names = [...new Set(Object.values(map))].sort();
  for (const name of names) {
    // An index must not lead out of its folder.
    if (typeof name !== "string" || name !== basename(name) || !name.endsWith(".safetensors")) {
      throw new UserError(
        `Expected names of .safetensors files beside ${index}, found ${JSON.stringify(name).slice(0, 80)}`,
      );
    }
  }
  if (names.length > MOST_SHARDS) {
    throw new UserError(`Expected at most ${MOST_SHARDS} files in ${index}, found ${names.length}`);
  }
  return names as string[];
}

function ownersOf(shards: readonly SafetensorsFile[]): Map<string, SafetensorsFile> {
  const owners = new Map<string, SafetensorsFile>();
  for (const shard of shards) {
    for (const name of shard.arrays.keys()) {
      const other = owners.get(name);
      if (other !== undefined) {
        throw new UserError(`Expected ${name} in one file only, found it in ${other.path} and ${shard.path}`);
      }
      owners.set(name, shard);
    }
  }
  return owners;
}

function tokenizerFiles(path: string): Record<string, string> {
  const present = TOKENIZER_FILES.filter((name) => existsSync(join(path, name)));
  return Object.fromEntries(present.map((name) => [name, readText(join(path, name))]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
