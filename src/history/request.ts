// What is asked of whoever judges, and what is answered, as plain data that goes from one thread to another.

import type { Fingerprint } from "../dataset/fingerprint.ts";
import type { FilterOptions, RepositoryRules } from "../filters/options.ts";
import type { Case } from "./judge.ts";
import type { Drop } from "./reasons.ts";

/** What became of one case: a line of `size` bytes and what the division compares of it, or no example; or nothing, since
 * its old content was to be one that is kept, and was not. */
export type Judged =
  | { readonly size: number; readonly print: Fingerprint }
  | { readonly drop: Drop }
  | "lost";

/** `lines` are those of the examples, one after another. */
export type JudgedBatch = { readonly lines: Uint8Array; readonly outcomes: readonly Judged[] };

/** The same with the ids of contents that are kept no more. */
export type KeepingBatch = JudgedBatch & { readonly gone: readonly string[] };

/** What a thread needs to make its own filter, and the size up to which contents are asked for. */
export type JudgeRules = {
  readonly options: FilterOptions & { readonly max_file_bytes: number };
  readonly rules: RepositoryRules;
};

export type FilterSource = JudgeRules & {
  /** Whether cases may count on contents that were judged before. */
  readonly keeps: boolean;
};

/** A case whose old content may be one that whoever judges has kept. */
export type AskedCase = Omit<Case, "old" | "isProved"> & { readonly old: Buffer | null | "kept" };

/** Cases whose contents all lie in `slab`, and a buffer for the lines, of which another is made if it is too small. */
export type JudgeRequest = {
  readonly cases: readonly AskedCase[];
  readonly slab: ArrayBuffer;
  readonly out: ArrayBuffer;
};

/** What a thread answers: the batch, and the buffer that its cases came in. */
export type Answer = KeepingBatch & { readonly slab: ArrayBuffer };
