// What neither PEFT nor AdapterHub has a key for, in a file of our own beside theirs: on which weights an adapter was
// trained. Other programs do not look at it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson, writeJson } from "../base/files.ts";

const FILE = "codefudge_adapter.json";

export type OwnFacts = { readonly base_sha256: string };

export function writeOwnFacts(folder: string, facts: OwnFacts): void {
  writeJson(join(folder, FILE), facts);
}

/** Nothing where an adapter is not ours. */
export function readOwnFacts(folder: string): OwnFacts | undefined {
  const path = join(folder, FILE);
  if (!existsSync(path)) return undefined;
  const facts = readJson(path) as Partial<OwnFacts> | null;
  if (typeof facts?.base_sha256 === "string") return { base_sha256: facts.base_sha256 };
  throw new UserError(`Expected base_sha256 in ${path}, found none; remove the file to do without it`);
}
