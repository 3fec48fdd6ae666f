// What identifies a history: its ref tips. A dataset's manifest holds it, so that a later run knows whether there is
// anything new to read.

import { createHash } from "node:crypto";
import { openShadow, type Shadow } from "./shadow.ts";

/** Plain data for a manifest. Nothing here depends on when it was read: the same history gives the same data. */
export function describeShadow(shadow: Shadow): Record<string, unknown> {
  const tips = shadow.refs.map(({ oid, name }) => `${oid} ${name}\n`).sort();
  const refs = createHash("sha256").update(tips.join("")).digest("hex");
  return { git: shadow.gitVersion, head: shadow.head, refs, shallow: shadow.shallow.size > 0 };
}

/** The same for a repository as it is now. */
export async function describeRepository(
  repository: string,
  signal?: AbortSignal,
): Promise<Record<string, unknown>> {
  const shadow = await openShadow(repository, signal);
  try {
    return describeShadow(shadow);
  } finally {
    shadow.dispose();
  }
}
