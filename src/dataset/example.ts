// The unit of learning: a request, the file before, the change that followed, and where it came from.
// One JSON line each; the keys are the file format.

/** One file of one commit. */
export type Example = {
  /** The commit message, recoded to UTF-8, without the newlines at its end. */
  readonly message: string;
  /** Path before the change; after it for a created file. */
  readonly path: string;
  /** Content before the change; `null` for a created file. */
  readonly old: string | null;
  /** The git diff of this file, starting with `diff --git`, `index` line included. */
  readonly diff: string;
  readonly commit: string;
  /** First parent; `null` for a root commit. */
  readonly parent: string | null;
  /** Committer time, seconds since 1970, UTC. */
  readonly time: number;
  /** Author name; no address is kept. */
  readonly author: string;
  /** What it counts for in training, over 0 and at most 1: by the quality of its message; 1 where nothing is known. */
  readonly weight: number;
};

/** Which side of a division by time: the oldest commits train, the newest test. */
export type Split = "train" | "validation" | "test";
