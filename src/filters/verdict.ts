// What a filter is told, and what it may answer, as plain data. Every answer is a function of these facts and of the
// options alone, so that reading a history in one go and reading it in parts give the same.

/** What is known of a commit. `mail` is judged and kept nowhere. */
export type CommitFacts = {
  readonly hash: string;
  readonly message: string;
  readonly author: string;
  readonly mail: string;
  /** Committer time, seconds since 1970. */
  readonly time: number;
  readonly merge: boolean;
};

/** What is known of one changed file once its contents are at hand. */
export type ChangeFacts = {
  /** Path before the change; after it for a created file. */
  readonly path: string;
  readonly old: string | null;
  readonly diff: string;
  /** Ids of the contents, hex; all zeros for none. */
  readonly oldOid: string;
  readonly newOid: string;
};

/** The filters that `--keep` can switch off, in the order in which they are asked. All but the last leave a change
 * out under their own name; "message-quality" only gives weights. */
export const filterNames = [
  "bot",
  "revert",
  "cherry-pick",
  "lockfile",
  "vendored",
  "generated",
  "minified",
  "whitespace-only",
  "secret",
  "message-quality",
] as const;

export type FilterName = (typeof filterNames)[number];

/** Why a change is left out: a person's own choice ("author", "excluded"), or a filter's name. */
export const filterReasons = [
  "author",
  "bot",
  "revert",
  "cherry-pick",
  "excluded",
  "lockfile",
  "vendored",
  "generated",
  "minified",
  "whitespace-only",
  "secret",
] as const;

export type FilterReason = (typeof filterReasons)[number];

/** `detail` says which rule held; it never holds a secret itself. */
export type Verdict = { readonly reason: FilterReason; readonly detail?: string };
