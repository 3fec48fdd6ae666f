// How a model on a hub is named: `org/name`, then `:PART` of a GGUF file's name where there are several, then
// `@revision`. Rules: huggingface_hub:src/huggingface_hub/utils/_validators.py.

export type HubName = {
  /** `org/name`. */
  readonly repo: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** Part of the name of one file, such as `Q4_K_M`. */
  readonly part: string | undefined;
};

export const DEFAULT_REVISION = "main";

const WORD = "[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?";
const NAME = new RegExp(`^(${WORD}/${WORD})(?::([A-Za-z0-9._-]+))?(?:@([A-Za-z0-9._/-]+))?$`);

/** The parts of a name; undefined for a text that no hub would take as one. */
export function parseHubName(text: string): HubName | undefined {
  const [, repo, part, revision = DEFAULT_REVISION] = NAME.exec(text) ?? [];
  if (repo === undefined || repo.length > 96 || /--|\.\./.test(repo) || /\.git$/.test(repo)) return undefined;
  // A revision becomes a path below `refs`.
  if (revision.split("/").some((step) => step === "" || /^\.+$/.test(step))) return undefined;
  return { repo, revision, part };
}

/** True for a full commit hash, which never moves. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
