// What identifies a history: its ref tips. A dataset's manifest holds it, so that a later run knows whether there is
// anything new to read. And where a repository is, from any folder in it.

import { createHash } from "node:crypto";
import { openShadow, type Shadow } from "./shadow.ts";

/** Plain data for a manifest. Nothing here depends on when it was read: the same history gives the same data. */
export function describeShadow(shadow: Shadow): Record<string, unknown> {
  const tips = shadow.refs.map(({ oid, name }) => `${oid} ${name}\n`).sort();
  const refs = createHash("sha256").update(tips.join("")).digest("hex");
  return { git: shadow.gitVersion, head: shadow.head, refs, shallow: shadow.shallow.size > 0 };
}

export type Repository = {
  /** Its top folder, to which paths in the history are relative; a bare repository's own. */
  readonly top: string;
  /** As `describeShadow` has it, now. */
  readonly description: Readonly<Record<string, unknown>>;
};

/** The repository in or above `folder`, or a `UserError` that says why there is none to read. Writes nothing. */
export async function findRepository(folder: string, signal?: AbortSignal): Promise<Repository> {
  const shadow = await openShadow(folder, signal);
  try {
    return { top: shadow.top, description: describeShadow(shadow) };
  } finally {
    shadow.dispose();
  }
}
