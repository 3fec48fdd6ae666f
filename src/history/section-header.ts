// Whether the header of a patch section says what its raw record says: modes, ids and likeness stand in both, and what is
// applied proves none of them (git-diff, "Generating patch text with -p"). Names are compared where patches are read.

import type { Change } from "./change.ts";

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

/** True for lines that state nothing of the record. A change of type has the headers of two records and is not read. */
export function agreesWith(record: HeaderRecord, line: string): boolean {
  const { oldMode, newMode, oldOid, newOid, statusAndScore } = record;
  if (statusAndScore.startsWith("T")) return true;
  const stated = STATED.find((start) => line.startsWith(start));
  const value = line.slice(stated?.length);
  switch (stated) {
    case "index ":
      return value === `${oldOid}..${newOid}${oldMode === newMode ? ` ${newMode}` : ""}`;
    case "old mode ":
    case "deleted file mode ":
      return value === oldMode;
    case "new mode ":
    case "new file mode ":
      return value === newMode;
    case "similarity index ":
      return value === `${Number(statusAndScore.slice(1))}%`;
    default:
      return true;
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
