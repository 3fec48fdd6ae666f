// Folders that a person names for output: one that holds somebody else's files is refused, so that nothing of theirs is
// replaced.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson } from "../base/files.ts";

/** The files of one kind of output folder: those that show whose it is, and all the others there may be. */
export type Claim = {
  /** The command that makes such a folder, and the option that names one. */
  readonly command: string;
  readonly option: string;
  /** Whether JSON files of these names are ours. */
  readonly signs: Readonly<Record<string, (value: Record<string, unknown>) => boolean>>;
  /** Names that an unfinished output may consist of. */
  readonly unfinished: RegExp;
};

/** A dataset: its manifest is a sign; before there is one, its journal and the files beside it. */
export const datasetClaim: Claim = {
  command: "history",
  option: "--output",
  signs: { "manifest.json": (value) => value.version === 1 && "counters" in value && "sha256" in value },
  unfinished: /^journal(\.next)?$/,
};

/** A run: its plan or its manifest is a sign; before there is one, a scratch base and checkpoints. */
export const runClaim: Claim = {
  command: "train",
  option: "--run",
  signs: { "plan.json": hasKind, "run.json": hasKind },
  unfinished: /^(base-[0-9a-f]{8}|checkpoint-\d+)$/,
};

/** Refuses a folder with files that the command has not made. */
export function requireClaim(folder: string, { command, option, signs, unfinished }: Claim): void {
  // Locks and temporary files are ours wherever they lie.
  const names = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => !/^(lock|\..*)$/.test(name));
  const isSigned = Object.entries(signs).some(([name, isOurs]) => isOurs(readObject(join(folder, name))));
  const strange = names.filter((name) => !unfinished.test(name));
  if (isSigned || strange.length === 0) return;
  throw new UserError(
    `Expected a new or empty folder at ${folder}, or one that codefudge ${command} made, found ${strange.slice(0, 3).join(", ")} there; give another with ${option}`,
  );
}

function hasKind({ version, kind }: Record<string, unknown>): boolean {
  return version === 1 && (kind === "adapter" || kind === "all");
}

function readObject(path: string): Record<string, unknown> {
  try {
    const value: unknown = readJson(path);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
