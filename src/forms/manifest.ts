// `form.json`: what says that a folder is a whole dataset in another form, and in which. Written last.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { readJson, writeJson } from "../base/files.ts";
import type { Split } from "../dataset/example.ts";
import type { FormName } from "./form.ts";
import { forms } from "./table.ts";

export type FormManifest = {
  readonly version: 1;
  readonly form: FormName;
  /** The answer format of the texts; null where the form has none. */
  readonly format: string | null;
  /** Examples in each split. */
  readonly examples: Readonly<Record<Split, number>>;
  /** Examples of the dataset that are not in here, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** The dataset it was made from: `sha256` of its files, and what its manifest says of its making. */
  readonly source: {
    readonly sha256: Readonly<Record<string, string>>;
    readonly created: Readonly<Record<string, unknown>>;
  };
  /** sha256 of each file, hex; of a folder, over the names and contents in it. */
  readonly sha256: Readonly<Record<string, string>>;
};

const NAME = "form.json";

export function writeFormManifest(folder: string, manifest: FormManifest): void {
  writeJson(join(folder, NAME), manifest);
}

/** Without it a folder that is being replaced cannot be taken for a whole one. */
export function removeFormManifest(folder: string): void {
  rmSync(join(folder, NAME), { force: true });
}

/** The manifest of a folder; undefined where there is none, such as in a folder of 2022. */
export function findFormManifest(folder: string): FormManifest | undefined {
  const path = join(folder, NAME);
  if (!existsSync(path)) return undefined;
  const value = readJson(path) as Partial<FormManifest> | null;
  if (value?.version === 1 && Object.hasOwn(forms, value.form ?? "")) return value as FormManifest;
  throw new UserError(
    `Expected version 1 and a known form in ${path}, found another; make it anew with codefudge export`,
  );
}
