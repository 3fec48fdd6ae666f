// From what a person typed after --model to a source of weights: a folder in Hugging Face layout or a GGUF file,
// told apart by looking, not by name.

import { statSync } from "node:fs";
import { extname, join } from "node:path";
import { UserError } from "../base/errors.ts";
import { ReadableFile } from "./file.ts";
import { type ConfigCheck, openFolder } from "./folder.ts";
import { openGguf } from "./gguf.ts";
import type { WeightSource } from "./source.ts";

/**
 * Opens a model folder or GGUF file, or throws a `UserError` that says what is wrong with it; the caller disposes of it.
 * `check` sees a folder's config before its weights are looked for.
 */
export function openWeights(model: string, check?: ConfigCheck): WeightSource {
  const stat = statSync(model, { throwIfNoEntry: false });
  if (stat === undefined) throw notThere(model);
  if (stat.isDirectory()) return openFolder(model, check);
  if (extname(model).toLowerCase() === ".gguf" || startsWithMagic(model)) return openGguf(model);
  throw new UserError(
    `Expected a model folder or a .gguf file, found the file ${model}: ${
      extname(model) === ".safetensors" ? `give its folder, ${join(model, "..")}` : "give one of those"
    }`,
  );
}

/** Ollama keeps GGUF files under names without an ending. */
function startsWithMagic(path: string): boolean {
  const file = new ReadableFile(path);
  try {
    return file.head(4).toString("latin1") === "GGUF";
  } finally {
    file.dispose();
  }
}

function notThere(model: string): UserError {
  return new UserError(
    `Expected a model folder or a .gguf file at ${model}, found nothing there: check the path, or give a name on the hub such as org/name`,
  );
}
