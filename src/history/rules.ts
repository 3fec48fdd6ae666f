// What a repository says of its own files: `.codefudgeignore` of its work tree, a plain file that is only read, and
// `.gitattributes` of the commit that is checked out. Both are text for the filters; neither is ever followed.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import type { RepositoryRules } from "../filters/options.ts";
import { type GitPlace, runGit } from "./git.ts";
import { placeOf, type Shadow } from "./shadow.ts";
import { describeDamage } from "./surprise.ts";

export const IGNORE_FILE = ".codefudgeignore";

const MOST_BYTES = 1 << 20;

/** The rules of the repository whose top folder is `top`; empty where there are none. */
export async function readRules(top: string, shadow: Shadow, signal?: AbortSignal): Promise<RepositoryRules> {
  return {
    ignore: readIgnore(join(top, IGNORE_FILE)),
    attributes: (await readAtHead(".gitattributes", shadow, signal)) ?? "",
  };
}

/** The text of a file of the commit that is checked out; `null` where there is none, or a large one. Throws where the
 * commit has one whose content is not there. */
export async function readAtHead(path: string, shadow: Shadow, signal?: AbortSignal): Promise<string | null> {
  if (shadow.head === null) return null;
  const object = `${shadow.head}:${path}`;
  const place = placeOf(shadow, signal);
  const size = await runGit(["cat-file", "-s", object], place);
  if (size.exitCode !== 0) return refuseLost(path, object, place);
  if (Number(size.stdout.toString()) > MOST_BYTES) return null;
  const { stdout, exitCode } = await runGit(["cat-file", "blob", object], place);
  if (exitCode !== 0) return null;
  if (stdout.length !== Number(size.stdout.toString())) {
    throw describeDamage(`${path} of ${size.stdout.toString().trim()} bytes`, `${stdout.length} bytes`);
  }
  return stdout.toString("utf8");
}

async function refuseLost(path: string, object: string, place: GitPlace): Promise<null> {
  const { exitCode } = await runGit(["rev-parse", "--quiet", "--verify", object], place);
  if (exitCode !== 0) return null;
  throw new UserError(
    `Expected the content of ${path} in the commit that is checked out, found none; run "git fsck" in the repository`,
  );
}

function readIgnore(path: string): string {
  // Neither a link nor a pipe is followed: a hostile work tree could point anywhere.
  const handle = openPlain(path);
  if (handle === undefined) return "";
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile() || stat.size > MOST_BYTES) {
      throw new UserError(
        `Expected a plain file of at most 1 MiB at ${path}, found ${stat.isFile() ? `${stat.size} bytes` : "something else"}; shorten or remove it`,
      );
    }
    const bytes = Buffer.alloc(stat.size);
    return bytes.toString("utf8", 0, readSync(handle, bytes, 0, stat.size, 0));
  } finally {
    closeSync(handle);
  }
}

function openPlain(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new UserError(
      `Expected a plain file that can be read at ${path}, found ${code}; mend or remove it`,
    );
  }
}
