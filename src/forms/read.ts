// Which form a folder has, and the examples in it. A folder that says so itself (`form.json`) is believed; folders of
// 2022 are known by what lies in them.

import { existsSync, statSync } from "node:fs";
import { UserError } from "../base/errors.ts";
import type { FormName, FormRecord } from "./form.ts";
import { findFormManifest } from "./manifest.ts";
import { forms } from "./table.ts";

/** The form of a folder; undefined for one that has none, such as a dataset of our own. */
export function detectForm(folder: string): FormName | undefined {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return undefined;
  const manifest = findFormManifest(folder);
  if (manifest !== undefined) return manifest.form;
  return Object.values(forms).find((form) => form.matches(folder))?.name;
}

/** The records of a folder in another form, in order; a `UserError` for a folder that has none or keeps too little. */
export async function* readForm(folder: string): AsyncGenerator<FormRecord> {
  const name = detectForm(folder);
  if (name === undefined) {
    throw new UserError(
      `Expected a dataset in one of the forms ${Object.keys(forms).join(", ")} in ${folder}, found none; make one with codefudge history or codefudge export`,
    );
  }
  const { read } = forms[name];
  if (read === null) {
    throw new UserError(
      `Expected a form that can be read back in ${folder}, found ${name}, which keeps texts but not what they were made of; give the dataset that it was made from`,
    );
  }
  yield* read(folder);
}
