// A base whose tokenizer is extended by what it cannot write, as a model folder of its own: the same weights, and a row
// in the embedding and the head for each new token. From then on it is a base like any other.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../base/errors.ts";
import { DEFAULT_FORMAT, formats } from "../../dataset/format.ts";
import { readExamples } from "../../dataset/store.ts";
import { everyParameter } from "../../models/encoder-decoder.ts";
import { createAnyModel, requireArchitecture } from "../../models/table.ts";
import { type Extension, extendTokenizer } from "../../tokenizer/extend.ts";
import { visible } from "../../tokenizer/inspect.ts";
import { extendedRows } from "../../tokenizer/rows.ts";
import { writeModelFolder } from "../../weights/folder.ts";
import { openWeights } from "../../weights/open.ts";
import type { ArrayToWrite } from "../../weights/safetensors.ts";
import type { WeightSource } from "../../weights/source.ts";
import { textsOf } from "../scratch.ts";
import { openTokenizerFrom } from "./tokenizer.ts";

const MOST_SHOWN = 24;

/** Arrays whose rows are tokens, in the models that are read here. */
const BY_TOKEN = [
  /(^|\.)(shared|embed_tokens|word_embedding)\.weight$/,
  /^lm_head\.weight$/,
  /^lm_loss\.(weight|bias)$/,
] as const;

export type Extended = {
  readonly output: string;
  readonly extension: Extension;
  /** Rows of the embedding now. */
  readonly vocab_size: number;
  /** Modules to train whole, so that the new rows become something. */
  readonly modules: readonly string[];
};

/** How a base is to be extended, and whether one that loses nothing is refused or written as it is. */
type Extending = {
  /** A new or empty folder. */
  readonly output: string;
  /** How many words become tokens, at most. */
  readonly words: number;
  readonly whole: "refuse" | "keep";
};

/** Writes the extended base. */
export async function extendBase(
  path: string,
  texts: readonly string[],
  { output, words, whole }: Extending,
): Promise<Extended> {
  if (existsSync(output) && readdirSync(output).length > 0) {
    throw new UserError(
      `Expected a new or empty folder, found files in ${output}; give another with --output`,
    );
  }
  const source = openWeights(path, requireArchitecture);
  try {
    const extension = await extendTokenizer(openTokenizerFrom(source.tokenizer), texts, { words });
    if (extension.rows.length === 0 && whole === "refuse") {
      throw new UserError(
        `Expected a tokenizer that loses something of these texts in ${path}, found that it gives back all of them; use the base as it is`,
      );
    }
    return write(source, extension, output);
  } finally {
    source.dispose();
  }
}

export type Wish = { readonly folder: string; readonly words: number; readonly dataset: string };

/** Makes the extended base in `folder` from what the training examples hold; does nothing when it is there, whole. What
 * was made, in words. */
export async function ensureExtended(path: string, { folder, words, dataset }: Wish): Promise<string | null> {
  if (existsSync(join(folder, "config.json"))) return null;
  const texts = [...textsOf(readExamples(dataset, "train"), formats[DEFAULT_FORMAT])];
  const { extension } = await extendBase(path, texts, { output: folder, words, whole: "keep" });
  if (extension.added.length === 0)
    return `${path} can write all of these files: its tokenizer stays as it is`;
  const shown = extension.added.filter(({ count }) => count > 0).slice(0, MOST_SHOWN);
  return `Gave ${path} ${extension.added.length} tokens for what it cannot write: ${shown.map(({ token }) => visible(token)).join(" ")} …`;
}

/** The modules of a model whose rows are tokens, by their last names. */
export function tokenModules(path: string): string[] {
  const source = openWeights(path, requireArchitecture);
  try {
    return modulesOf(source);
  } finally {
    source.dispose();
  }
}

function isByToken(name: string): boolean {
  return BY_TOKEN.some((pattern) => pattern.test(name));
}

/** Of the model, not of its file: that may also have a head that is tied, or the shared embedding of a T5 thrice. */
function modulesOf({ config }: WeightSource): string[] {
  const names = everyParameter(createAnyModel(config)).map(({ name }) => name);
  const last = (name: string) => name.replace(/\.(weight|bias)$/, "").replace(/^.*\./, "");
  return [...new Set(names.filter(isByToken).map(last))].sort();
}

function write(source: WeightSource, extension: Extension, output: string): Extended {
  const names = [...source.arrays.keys()].filter(isByToken);
  const rows = Math.max(
    extension.tokenizer.vocabSize,
    ...names.map((name) => source.arrays.get(name)!.shape[0]!),
  );
  const arrays = new Map(
    [...source.arrays.keys()].map((name) => [name, arrayOf(source, { name, rows, extension })]),
  );
  writeModelFolder(output, {
    config: { ...source.config, vocab_size: rows },
    arrays,
    tokenizerFiles: extension.tokenizer.files(),
  });
  return { output, extension, vocab_size: rows, modules: modulesOf(source) };
}

type Growth = { readonly name: string; readonly rows: number; readonly extension: Extension };

function arrayOf(source: WeightSource, { name, rows, extension }: Growth): ArrayToWrite {
  const { shape } = source.arrays.get(name)!;
  if (!isByToken(name)) return { shape, data: () => source.read(name) };
  const width = shape.slice(1).reduce((product, extent) => product * extent, 1);
  return {
    shape: [rows, ...shape.slice(1)],
    data: () => extendedRows(source.read(name), { width, rows, recipes: extension.rows }),
  };
}
