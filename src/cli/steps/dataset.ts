// The dataset that is meant by a folder: the folder itself, or, where it has another form such as one of 2022, a
// dataset made of it in the workspace, which is kept for the next time.

import { createHash } from "node:crypto";
import { basename, join, resolve } from "node:path";
import { hasManifest, readManifest } from "../../dataset/store.ts";
import { fingerprintOf, importForm } from "../../forms/import.ts";
import { detectForm } from "../../forms/read.ts";
import { withLock } from "../lock.ts";
import { formatCount } from "../units.ts";
import { ensureWorkspace, repositoryRoot, workspaceOf } from "../workspace.ts";
import type { Face } from "./face.ts";

/** The folder of the dataset; a `UserError` where there is none in any form. */
export async function datasetStep(folder: string, cwd: string, face: Face): Promise<string> {
  if (hasManifest(folder)) return folder;
  const form = detectForm(folder);
  if (form === undefined) {
    readManifest(folder);
    return folder;
  }
  const workspace = workspaceOf(repositoryRoot(cwd));
  const imported = join(workspace.root, `imported-${nameOf(folder)}`);
  if (hasManifest(imported) && readManifest(imported).created["fingerprint"] === fingerprintOf(folder))
    return imported;
  ensureWorkspace(workspace);
  face.progress.line(`${folder} has the form ${form}; a dataset is made of it in ${imported}`);
  await withLock(imported, "or wait until it is done", () =>
    importStep({ form: folder, dataset: imported }, face),
  );
  return imported;
}

/** By name, and by place: two folders may have the same name. */
function nameOf(folder: string): string {
  const place = createHash("sha256").update(resolve(folder)).digest("hex").slice(0, 8);
  return `${basename(resolve(folder)).replace(/[^\w.-]/g, "_")}-${place}`;
}

/** Makes a dataset of a folder in another form, and says what could not be used. */
export async function importStep(
  paths: { readonly form: string; readonly dataset: string },
  face: Face,
): Promise<void> {
  const events = importForm(paths, face.signal);
  let next = await events.next();
  for (; !next.done; next = await events.next()) {
    face.progress.update({ label: "import", done: next.value.done, unit: "records" });
  }
  face.progress.finish();
  const { commits: _c, merges: _m, records = 0, examples = 0, ...reasons } = next.value.counters;
  const words = Object.entries(reasons).map(([reason, count]) => `${formatCount(count)} ${reason}`);
  const rest = words.length > 0 ? `; left out: ${words.join(", ")}` : "";
  face.progress.line(`${formatCount(examples)} of ${formatCount(records)} records are examples${rest}`);
}
