// Why a changed file does not become an example: the names under which it is counted, and the rules that need no
// more than the record itself. The first rule that holds gives the name, so each record has exactly one.

import { isUtf8 } from "node:buffer";
import { filterReasons } from "../filters/verdict.ts";
import { isSafePath } from "../patch/path.ts";
import type { Change, LogCommit } from "./change.ts";

/**
 * Reasons in the order in which they are asked; each counts raw records of `git log`. The last two need the split, which
 * also finds cherry-picks and reverts that their messages do not tell.
 */
export const dropReasons = [
  "shallow-boundary",
  "type-change",
  "submodule",
  "symlink",
  "copy",
  "mode-only",
  "over-size",
  "binary",
  "undecodable",
  "unsafe-path",
  "round-trip",
  ...filterReasons,
  "duplicate",
  "near-duplicate",
] as const;

export type DropReason = (typeof dropReasons)[number];

export type Drop = { readonly reason: DropReason; readonly detail?: string };

type Rule = {
  readonly reason: DropReason;
  readonly detail?: string;
  readonly holds: (change: Change, commit: LogCommit) => boolean;
};

const SUBMODULE = "160000";
const SYMLINK = "120000";

const rules: readonly Rule[] = [
  { reason: "type-change", holds: ({ status }) => status === "T" },
  { reason: "submodule", holds: (change) => hasMode(change, SUBMODULE) },
  { reason: "symlink", holds: (change) => hasMode(change, SYMLINK) },
  { reason: "copy", holds: ({ status }) => status === "C" },
  { reason: "mode-only", holds: ({ status, oldOid, newOid }) => status === "M" && oldOid === newOid },
  { reason: "over-size", detail: "diff", holds: ({ section }) => section === null },
  { reason: "over-size", detail: "message", holds: (_, { long }) => long },
  { reason: "undecodable", detail: "message", holds: (_, { message }) => message === null },
  {
    reason: "undecodable",
    detail: "path",
    holds: (change) => !pathsOf(change).every(isUtf8),
  },
  {
    reason: "unsafe-path",
    holds: (change) => !pathsOf(change).every((path) => isSafePath(path.toString("utf8"))),
  },
];

/** What the record alone says against a change; undefined when its contents must be looked at. */
export function dropByRecord(
  change: Change,
  commit: LogCommit,
  shallow: ReadonlySet<string>,
): Drop | undefined {
  if (shallow.has(commit.hash)) return { reason: "shallow-boundary" };
  const rule = rules.find(({ holds }) => holds(change, commit));
  return (
    rule &&
    (rule.detail === undefined ? { reason: rule.reason } : { reason: rule.reason, detail: rule.detail })
  );
}

/** Most changes have one path, under both names. */
function pathsOf({ oldPath, newPath }: Change): readonly Buffer[] {
  return oldPath === newPath ? [oldPath] : [oldPath, newPath];
}

function hasMode({ oldMode, newMode }: Change, mode: string): boolean {
  return oldMode === mode || newMode === mode;
}
