// From a record of 2022 to an example, or to the name of what is wrong with it. The scripts of 2022 took paths from
// `git log --stat`, so that long names are cut (`.../x.js`), renames show `{a => b}` or only their new name, names with
// spaces lose their beginning, and binary files have pairs too (docs/formats.md).

import { blobId } from "../dataset/blob.ts";
import type { Example } from "../dataset/example.ts";
import { checkRoundTrip } from "../dataset/roundtrip.ts";
import { applyPatch } from "../patch/apply.ts";
import { type Patch, pathBefore } from "../patch/hunk.ts";
import { parsePatch } from "../patch/parse.ts";
import { isSafePath } from "../patch/path.ts";
import { splitMessage, splitPath } from "./words2022.ts";

/** Why a record of 2022 is no example. */
export type Defect =
  | "truncated-name"
  | "broken-rename"
  | "empty-commit"
  | "binary"
  | "several-files"
  | "another-path"
  | "unsafe-path"
  | "no-diff"
  | "does-not-apply"
  | "round-trip";

/** The parts of a record as they stand in it. */
export type Parts = {
  readonly message: string;
  readonly path: string;
  readonly content: string;
  readonly diff: string;
  /** Stand-ins: the record's commit and its place in the order of commits. */
  readonly commit: string;
  readonly time: number;
};

export type Sound =
  | { readonly ok: true; readonly example: Example }
  | { readonly ok: false; readonly reason: Defect; readonly detail?: string };

/** The example that a record is, proven to apply and to be expressed by every answer format. */
export function toSound(parts: Parts): Sound {
  const path = splitPath(parts.path);
  const diff = parts.diff.replace(/^\n+/, "");
  if (/^\s*$/.test(diff)) return { ok: false, reason: emptyReason(parts.path) };
  const patches = parsePatch(diff);
  if (!patches.ok) return { ok: false, reason: "no-diff", detail: patches.reason };
  const [patch, ...rest] = patches.value;
  if (patch === undefined || rest.length > 0) return { ok: false, reason: "several-files" };
  const wrong = defectOf(patch, path, parts.content);
  if (wrong !== undefined) return { ok: false, reason: wrong };
  const old = patch.kind === "create" ? null : parts.content;
  return prove(
    {
      message: splitMessage(parts.message),
      path,
      old,
      diff,
      commit: parts.commit,
      parent: null,
      time: parts.time,
      author: "",
      weight: 1,
    },
    patch,
  );
}

/** `git log` was asked for a name that it had itself shortened or folded. */
function emptyReason(path: string): Defect {
  if (/^\.{3}(\/|$)/.test(path)) return "truncated-name";
  return /=>|[{}]/.test(path) ? "broken-rename" : "empty-commit";
}

function defectOf(patch: Patch, path: string, content: string): Defect | undefined {
  if (patch.kind === "binary") return "binary";
  if (pathBefore(patch) !== path) {
    // The old content was looked up under the new name, where there was nothing.
    return "from" in patch && patch.path === path ? "broken-rename" : "another-path";
  }
  if (!isSafePath(path) || !isSafePath(patch.path)) return "unsafe-path";
  return patch.kind === "create" && content !== "" ? "does-not-apply" : undefined;
}

function prove(example: Example, patch: Patch): Sound {
  const result = applyPatch(patch, example.old);
  if (!result.ok) return { ok: false, reason: "does-not-apply", detail: result.reason };
  const blob =
    result.value === null ? null : ({ oid: blobId(result.value, "sha1"), algorithm: "sha1" } as const);
  const trip = checkRoundTrip(example, blob);
  return trip.ok ? { ok: true, example } : { ok: false, reason: "round-trip", detail: trip.reason };
}
