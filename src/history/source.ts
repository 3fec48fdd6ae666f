// What identifies a history: its ref tips. A dataset's manifest holds it, so that a later run knows whether there is
// anything new to read. And where a repository is, from any folder in it, and what it brought there.

import { createHash } from "node:crypto";
import { basename, dirname } from "node:path";
import { streamGit } from "./git.ts";
import { type Survey, surveyRepository } from "./shadow.ts";

/** Plain data for a manifest. Nothing here depends on when it was read: the same history gives the same data. */
export function describeShadow(shadow: Survey): Record<string, unknown> {
  const tips = shadow.refs.map(({ oid, name }) => `${oid} ${name}\n`).sort();
  const refs = createHash("sha256").update(tips.join("")).digest("hex");
  return { git: shadow.gitVersion, head: shadow.head, refs, shallow: shadow.shallow.size > 0 };
}

export type Repository = {
  /** Its top folder, to which paths in the history are relative; a bare repository's own. */
  readonly top: string;
  /** As `describeShadow` has it, now. */
  readonly description: Readonly<Record<string, unknown>>;
  /** What was seen of it, for who reads it next. */
  readonly survey: Survey;
};

/** The repository in or above `folder`, or a `UserError` that says why there is none to read. Writes nothing. */
export async function findRepository(folder: string, signal?: AbortSignal): Promise<Repository> {
  const survey = await surveyRepository(folder, signal);
  return { top: survey.top, description: describeShadow(survey), survey };
}

/** Whether the commit that is checked out has something by the name of `path` in its folder, also where file names
 * are one in any case: then a repository put it there and not its user. False where there is no repository. */
export async function isBrought(path: string, signal?: AbortSignal): Promise<boolean> {
  const place = { cwd: dirname(path), userConfig: true, ...(signal && { signal }) };
  const child = streamGit(["ls-tree", "-z", "--name-only", "HEAD"], place);
  child.stdin.end();
  const wanted = foldName(basename(path));
  let rest = "";
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    const names = (rest + chunk.toString("latin1")).split("\0");
    // The end is enough of a name that is longer than any file's.
    rest = names.pop()!.slice(-LONGEST_NAME);
    if (!names.some((name) => foldName(Buffer.from(name, "latin1").toString("utf8")) === wanted)) continue;
    child.kill();
    return true;
  }
  await child.done;
  return false;
}

const LONGEST_NAME = 4096;

/** As the least careful file system takes a name: in any case, without invisible characters, dots and blanks behind. */
function foldName(name: string): string {
  return name
    .replace(/\p{Cf}/gu, "")
    .normalize("NFC")
    .toLowerCase()
    .replace(/[. ]+$/, "");
}
