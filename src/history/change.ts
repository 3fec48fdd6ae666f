// What the log of a repository consists of, as data: commits, and for each changed file git's raw record with its patch
// section. Bytes where git has bytes; nothing here is decided or decoded that a caller might decide otherwise.

export type LogCommit = {
  readonly hash: string;
  readonly parents: readonly string[];
  readonly author: string;
  /** The author's address: to judge by, never to be kept. */
  readonly mail: string;
  /** Committer time, seconds since 1970. */
  readonly time: number;
  /** `null` when the message is not UTF-8, or too long. */
  readonly message: string | null;
  /** The message, or another field, is so long that only its beginning was kept. */
  readonly long: boolean;
};

/** One raw record with its patch section. */
export type Change = {
  /** git's letter: A, C, D, M, R or T. */
  readonly status: string;
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldOid: string;
  readonly newOid: string;
  readonly oldPath: Buffer;
  /** The same as `oldPath` but for renames and copies. */
  readonly newPath: Buffer;
  /** From `diff --git` to the end of the last hunk; `null` when larger than the limit. */
  readonly section: Buffer | null;
  readonly sectionBytes: number;
  /** git printed "Binary files differ" instead of hunks. */
  readonly binary: boolean;
};

export type LogEntry =
  | { readonly kind: "commit"; readonly commit: LogCommit; readonly changes: number }
  | { readonly kind: "change"; readonly commit: LogCommit; readonly change: Change };
