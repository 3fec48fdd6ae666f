// A base whose tokenizer is extended by what it cannot write, as a model folder of its own: the same weights, and a row
// in the embedding and the head for each new token. From then on it is a base like any other.

import { existsSync, readdirSync } from "node:fs";
import { UserError } from "../../base/errors.ts";
import { type Extension, extendTokenizer } from "../../tokenizer/extend.ts";
import { extendedRows } from "../../tokenizer/rows.ts";
import { writeModelFolder } from "../../weights/folder.ts";
import { openWeights } from "../../weights/open.ts";
import type { ArrayToWrite } from "../../weights/safetensors.ts";
import type { WeightSource } from "../../weights/source.ts";
import { openTokenizerFrom } from "./tokenizer.ts";

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

function write(source: WeightSource, extension: Extension, output: string): Extended {
  const names = [...source.arrays.keys()].filter((name) => BY_TOKEN.some((pattern) => pattern.test(name)));
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
