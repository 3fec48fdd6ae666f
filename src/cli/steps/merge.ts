// The merging step: runs on one base in, a model folder out.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Adapter } from "../../adapters/adapter.ts";
import { combineAdapters } from "../../adapters/combine.ts";
import { mergedModel } from "../../adapters/merge.ts";
import { scaleAdapter } from "../../adapters/scale.ts";
import { UserError } from "../../base/errors.ts";
import type { Base } from "../../generation/base.ts";
import { writeModelFolder } from "../../weights/folder.ts";
import { openAdapterOf, openBaseOf } from "../base.ts";
import { readRun } from "../run-folder.ts";

export type MergePart = { readonly folder: string; readonly weight: number };

/** What was written, where, of what. */
export type Merged = { readonly output: string; readonly base: string; readonly bytes: number };

/** Merges adapters, each with its strength, into the base that they share. */
export function mergeStep(parts: readonly MergePart[], output: string | null): Merged {
  const [first] = parts;
  const run = readRun(first!.folder);
  const folder = output ?? join(first!.folder, "merged");
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new UserError(
      `Expected a new or empty folder, found files in ${folder}; give another with --output`,
    );
  }
  requireOneBase(parts, run.base_sha256);
  const base = openBaseOf(run, first!.folder);
  try {
    const adapters = parts.map((part) => ({ adapter: adapterOf(part, base), weight: part.weight }));
    const [only] = adapters;
    const adapter =
      adapters.length === 1 ? scaleAdapter(only!.adapter, only!.weight, base) : combineAdapters(adapters);
    const arrays = mergedModel(adapter, base);
    writeModelFolder(folder, { config: base.source.config, arrays, tokenizerFiles: base.tokenizer.files() });
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    return { output: folder, base: base.source.name, bytes };
  } finally {
    base.source.dispose();
  }
}

function adapterOf({ folder }: MergePart, base: Base): Adapter {
  const adapter = openAdapterOf(readRun(folder), folder, base);
  if (adapter) return adapter;
  throw new UserError(
    `Expected a run with an adapter, found every weight trained in ${folder}: its model folder is whole already, ${join(folder, "model")}`,
  );
}

function requireOneBase(parts: readonly MergePart[], base_sha256: string): void {
  const others = parts.filter(({ folder }) => readRun(folder).base_sha256 !== base_sha256);
  if (others.length === 0) return;
  throw new UserError(
    `Expected runs on one base to combine, found another base in ${others.map(({ folder }) => folder).join(", ")}`,
  );
}
