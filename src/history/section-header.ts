// Whether the header of a patch section says what its raw record says: modes, ids and likeness stand in both, and what is
// applied proves none of them (git-diff, "Generating patch text with -p"). Names are compared where patches are read.

import type { Change } from "./change.ts";

export const BINARY_LINE = "Binary files ";
/** How the lines between "diff --git" and the hunks begin. */
export const HEADER_LINES = [
  "index ",
  "--- ",
  "+++ ",
  "new file mode ",
  "deleted file mode ",
  "old mode ",
  "new mode ",
  "similarity index ",
  "dissimilarity index ",
  "rename from ",
  "rename to ",
  "copy from ",
  "copy to ",
  BINARY_LINE,
];

export type HeaderRecord = Pick<Change, "oldMode" | "newMode" | "oldOid" | "newOid"> & {
  /** git's letter, and the likeness in percent behind it where there is one. */
  readonly statusAndScore: string;
};

/** A raw record in front of its paths: modes, ids of so many digits, and git's letter with its score (git-diff, "Raw output
 * format"). */
export function rawPattern(hashLength: number): RegExp {
  const hash = `([0-9a-f]{${hashLength}})`;
  return new RegExp(`^:([0-7]{6}) ([0-7]{6}) ${hash} ${hash} ([ACDMRT][0-9]{0,3})$`);
}

/** How many lines of a header state something of its record. A change of type has the headers of two, and none counts. */
export function statedOf({ oldMode, newMode, oldOid, newOid, statusAndScore }: HeaderRecord): number {
  const status = statusAndScore[0]!;
  if (status === "T") return 0;
  const modes = "AD".includes(status) ? 1 : oldMode === newMode ? 0 : 2;
  return modes + (oldOid === newOid ? 0 : 1) + ("RC".includes(status) ? 1 : 0);
}

/** How many facts of the record a line states, none or one; `undefined` where it states another. */
export function readStated(record: HeaderRecord, line: string): number | undefined {
  const { oldMode, newMode, oldOid, newOid, statusAndScore } = record;
  if (statusAndScore.startsWith("T")) return 0;
  const agrees = (value: string, fact: string) => (value === fact ? 1 : undefined);
  const stated = STATED.find((start) => line.startsWith(start));
  const value = line.slice(stated?.length);
  switch (stated) {
    case "index ":
      return agrees(value, `${oldOid}..${newOid}${oldMode === newMode ? ` ${newMode}` : ""}`);
    case "old mode ":
    case "deleted file mode ":
      return agrees(value, oldMode);
    case "new mode ":
    case "new file mode ":
      return agrees(value, newMode);
    case "similarity index ":
      return agrees(value, `${Number(statusAndScore.slice(1))}%`);
    default:
      return 0;
  }
}

const STATED = [
  "index ",
  "old mode ",
  "new mode ",
  "new file mode ",
  "deleted file mode ",
  "similarity index ",
] as const;
