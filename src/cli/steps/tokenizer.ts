// Tokenizers by themselves: opened from what a person names, trained on a repository or files. No weights are read.

import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError, UserError } from "../../base/errors.ts";
import { readTree } from "../../history/tree.ts";
import { tokenizerFromGguf } from "../../tokenizer/gguf.ts";
import { loadTokenizer } from "../../tokenizer/load.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import { trainBpe } from "../../tokenizer/train.ts";
import { trainUnigram } from "../../tokenizer/train-unigram.ts";
import { hasTokenizer, TOKENIZER_MODELS, tokenizerNames } from "../../weights/folder-files.ts";
import { openGguf } from "../../weights/gguf.ts";
import type { TokenizerData } from "../../weights/source.ts";
import { locateModel, type Seeker } from "../model.ts";
import { readSource } from "../source.ts";

/** What training reads at most: more text changes little, and is held in memory. */
export const MOST_TEXT = 32 * 1024 * 1024;

/** The tokenizer that a text names: a tokenizer.json, a SentencePiece model, or a model as --model takes it. */
export async function openTokenizerOf(name: string, seeker: Seeker): Promise<Tokenizer> {
  const path = await locateModel(name, seeker);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new UserError(`Expected a tokenizer or a model at ${path}, found nothing there: check the path`);
  }
  if (stat.isDirectory()) return loadFolder(path);
  if (path.endsWith(".json")) return loadBeside(path, "tokenizer.json");
  if (path.endsWith(".model")) return loadBeside(path, TOKENIZER_MODELS[0]!);
  return loadGguf(path);
}

function loadFolder(folder: string): Tokenizer {
  const names = tokenizerNames((name) => existsSync(join(folder, name)));
  if (!hasTokenizer(names)) {
    throw new UserError(
      `Expected tokenizer.json, ${TOKENIZER_MODELS.join(" or ")} in ${folder}, found none: give a model's folder or a tokenizer's file`,
    );
  }
  return loadTokenizer(Object.fromEntries(names.map((name) => [name, readOf(join(folder, name))])));
}

/** A file of any name, with what stands beside it. */
function loadBeside(path: string, role: string): Tokenizer {
  const folder = dirname(path);
  const others = tokenizerNames((name) => existsSync(join(folder, name))).filter((name) =>
    /_.*\.json$/.test(name),
  );
  const files = Object.fromEntries(others.map((name) => [name, readOf(join(folder, name))]));
  return loadTokenizer({ "generation_config.json": ANY_END, ...files, [role]: readOf(path) });
}

/** A file that stands alone names no end token, and none is needed to look at it. */
const ANY_END = JSON.stringify({ eos_token_id: 0 });

function readOf(path: string): string | Uint8Array {
  const bytes = readFileSync(path);
  return path.endsWith(".model") ? new Uint8Array(bytes) : bytes.toString("utf8");
}

function loadGguf(path: string): Tokenizer {
  const source = openGguf(path);
  try {
    return openTokenizerFrom(source.tokenizer);
  } finally {
    source.dispose();
  }
}

/** The tokenizer that a base brings. */
export function openTokenizerFrom(data: TokenizerData): Tokenizer {
  return data.kind === "gguf" ? tokenizerFromGguf(data.metadata) : loadTokenizer(data.files);
}

/** The texts to learn from: those of a repository's checked-out commit, or the files themselves. */
export async function* readTexts(places: readonly string[], { cwd, signal }: Seeker): AsyncGenerator<string> {
  const paths = (places.length === 0 ? ["."] : places).map((place) => resolve(cwd, place));
  for (const path of paths) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined)
      throw new UserError(`Expected a repository or a file at ${path}, found nothing there`);
    if (stat.isFile()) yield readSource(path, stat.size);
    else for await (const { text } of readTree(path, { bytes: MOST_TEXT, signal })) yield text;
  }
}

export type TrainingWish = { readonly model_type: "bpe" | "unigram"; readonly vocab_size: number };

const END = "<|end|>";

/** A tokenizer made from these texts. */
export function trainTokenizer(
  texts: readonly string[],
  { model_type, vocab_size }: TrainingWish,
): Tokenizer {
  if (texts.length === 0) {
    throw new UsageError(
      "Expected text to learn a tokenizer from, found none; name other files or a repository",
    );
  }
  const settings = { vocabSize: vocab_size, specialTokens: [END] as const };
  return model_type === "bpe" ? trainBpe(texts, settings) : trainUnigram(texts, settings);
}

/** What to call a tokenizer in a table. */
export function shortName(name: string): string {
  const base = basename(name);
  return base === "tokenizer.json" ? basename(dirname(resolve(name))) : base;
}
