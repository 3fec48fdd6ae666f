// A base whose tokenizer is extended by what it cannot write, as a model folder of its own: the same weights, and a row
// in the embedding and the head for each new token. From then on it is a base like any other.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../base/errors.ts";
import { DEFAULT_FORMAT, formats } from "../../dataset/format.ts";
import { readExamples } from "../../dataset/store.ts";
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

/** Writes the extended base to `output`, a new or empty folder; `words` is how many words become tokens, at most. */
export async function extendBase(
  path: string,
  texts: readonly string[],
  { output, words }: { readonly output: string; readonly words: number },
): Promise<Extended> {
  if (existsSync(output) && readdirSync(output).length > 0) {
    throw new UserError(
      `Expected a new or empty folder, found files in ${output}; give another with --output`,
    );
  }
  const source = openWeights(path);
  try {
    const extension = await extendTokenizer(openTokenizerFrom(source.tokenizer), texts, { words });
    if (extension.rows.length === 0) {
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
  const { extension } = await extendBase(path, texts, { output: folder, words });
  const shown = extension.added.filter(({ count }) => count > 0).slice(0, MOST_SHOWN);
  return `Gave ${path} ${extension.added.length} tokens for what it cannot write: ${shown.map(({ token }) => visible(token)).join(" ")} …`;
}

/** The modules of a model whose rows are tokens, by their last names. */
export function tokenModules(path: string): string[] {
  const source = openWeights(path);
  try {
    return modulesOf(byToken(source));
  } finally {
    source.dispose();
  }
}

function byToken(source: WeightSource): string[] {
  return [...source.arrays.keys()].filter((name) => BY_TOKEN.some((pattern) => pattern.test(name)));
}

function modulesOf(names: readonly string[]): string[] {
  const last = (name: string) => name.replace(/\.(weight|bias)$/, "").replace(/^.*\./, "");
  const modules = new Set(names.map(last));
  // A T5's file may spell the embedding that its sides share out for each of them.
  if (modules.has("shared")) modules.delete("embed_tokens");
  return [...modules].sort();
}

function write(source: WeightSource, extension: Extension, output: string): Extended {
  const names = byToken(source);
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
  const modules = [
    ...new Set(
      names.map(
        (name) =>
          name
            .replace(/\.(weight|bias)$/, "")
            .split(".")
            .at(-1)!,
      ),
    ),
  ];
  return { output, extension, vocab_size: rows, modules };
}

type Growth = { readonly name: string; readonly rows: number; readonly extension: Extension };

function arrayOf(source: WeightSource, { name, rows, extension }: Growth): ArrayToWrite {
  const { shape } = source.arrays.get(name)!;
  if (!BY_TOKEN.some((pattern) => pattern.test(name))) return { shape, data: () => source.read(name) };
  const width = shape.slice(1).reduce((product, extent) => product * extent, 1);
  return {
    shape: [rows, ...shape.slice(1)],
    data: () => extendedRows(source.read(name), { width, rows, recipes: extension.rows }),
  };
}
