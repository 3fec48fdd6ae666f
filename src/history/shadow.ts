// A shadow of a repository: an empty git folder of our own whose refs are copied and whose objects are the
// repository's. Reading through it, none of the repository's configuration, attributes, hooks, grafts or replace
// refs has any say. It knows nothing of commits; the checks of what can be read at all are here.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve, sep } from "node:path";
import { createInterface } from "node:readline";
import { isAbort, UserError } from "../base/errors.ts";
import { describeWriteFailure } from "../base/files.ts";
import { type GitPlace, gitVersion, runGit, streamGit } from "./git.ts";
import { describeDamage } from "./surprise.ts";

/** A branch, tag or remote branch, and the object that it names. */
export type Ref = { readonly name: string; readonly oid: string };

export type Shadow = {
  /** The repository's top folder, to which paths in the history are relative; a bare repository's own. */
  readonly top: string;
  readonly gitDir: string;
  readonly objectDirectory: string;
  readonly algorithm: "sha1" | "sha256";
  readonly gitVersion: string;
  readonly refs: readonly Ref[];
  /** The commit that is checked out; `null` on a branch without commits. */
  readonly head: string | null;
  /** Commits of a shallow clone whose parents were left out. */
  readonly shallow: ReadonlySet<string>;
  dispose(): void;
};

/** What is known of a repository before a shadow of it is made. */
export type Survey = Omit<Shadow, "gitDir" | "dispose">;

/** Makes the shadow of the repository in or above `repository`, or throws a `UserError` that says why not. */
export async function openShadow(repository: string, signal?: AbortSignal): Promise<Shadow> {
  return makeShadow(await surveyRepository(repository, signal));
}

/** Makes the shadow of a repository that was looked at; a `UserError` where there is no place for temporary files. */
export function makeShadow(survey: Survey): Shadow {
  const gitDir = makeTemporary();
  const dispose = () => rmSync(gitDir, { recursive: true, force: true });
  try {
    fillShadow(gitDir, survey);
    return { ...survey, gitDir, dispose };
  } catch (error) {
    dispose();
    throw describeWriteFailure(gitDir, error);
  }
}

function makeTemporary(): string {
  const path = join(tmpdir(), "codefudge-shadow-");
  try {
    return mkdtempSync(path);
  } catch (error) {
    throw describeWriteFailure(path, error);
  }
}

/** Looks at the repository in or above `repository` and changes nothing; a `UserError` when it cannot be read. */
export async function surveyRepository(repository: string, signal?: AbortSignal): Promise<Survey> {
  const place: GitPlace = { cwd: repository, userConfig: true, ...(signal && { signal }) };
  const location = locate(repository, place);
  // No git, or an old one, is told first.
  location.catch(() => {});
  const version = await gitVersion();
  const { algorithm, commonDir } = await location;
  const hash = algorithm === "sha256" ? "[0-9a-f]{64}" : "[0-9a-f]{40}";
  const [refs, head, top] = await Promise.all([
    listRefs(repository, place, hash),
    readHead(place, hash),
    readTop(repository, place),
  ]);
  if (refs.length === 0 && head === null) {
    throw new UserError(
      `Expected commits in ${repository}, found an empty repository; commit something and run this again`,
    );
  }
  const objectDirectory = join(commonDir, "objects");
  const shallow = readShallow(join(commonDir, "shallow"));
  return { top, objectDirectory, algorithm, gitVersion: version, refs, head, shallow };
}

/** The arguments that name every commit to read: branches, tags, remote branches and what is checked out. */
export function revisionsOf(shadow: Shadow): string[] {
  return ["--branches", "--tags", "--remotes", ...(shadow.head === null ? [] : ["HEAD"])];
}

/** Where git runs when it reads through the shadow. */
export function placeOf(shadow: Shadow, signal?: AbortSignal): GitPlace {
  return {
    gitDir: shadow.gitDir,
    objectDirectory: shadow.objectDirectory,
    ...(signal && { signal }),
  };
}

type Located = { readonly commonDir: string; readonly algorithm: "sha1" | "sha256" };

async function locate(repository: string, place: GitPlace): Promise<Located> {
  const args = ["rev-parse", "--path-format=absolute", "--show-object-format", "--git-common-dir"];
  const { stdout, stderr, exitCode } = await runGit(args, place);
  if (exitCode !== 0) throw describeRefusal(repository, stderr);
  const text = stdout.toString();
  const [, algorithm, commonDir] = /^(sha1|sha256)\n([^\0]+)\n$/.exec(text) ?? [];
  if (algorithm === undefined || commonDir === undefined || !existsSync(join(commonDir, "objects"))) {
    throw describeDamage("the kind and folder of a repository from git rev-parse", quote(text));
  }
  return { algorithm: algorithm as "sha1" | "sha256", commonDir };
}

function describeRefusal(repository: string, stderr: string): UserError {
  const said = stderr.trim().replace(/^fatal: /, "");
  if (!existsSync(repository)) {
    return new UserError(`Expected a git repository at ${repository}, found no such folder; check the path`);
  }
  if (said.includes("dubious ownership")) {
    return new UserError(
      `Expected a git repository of your own at ${repository}, found one that git refuses; git says: ${said}`,
    );
  }
  if (said.includes("not a git repository")) {
    return new UserError(
      `Expected a git repository at ${repository}, found a folder without one; give the path of a clone, or run "git init" there and commit`,
    );
  }
  return new UserError(`Expected a git repository at ${repository}, found one that git cannot read: ${said}`);
}

async function listRefs(repository: string, place: GitPlace, hash: string): Promise<Ref[]> {
  const args = [
    "for-each-ref",
    "--format=%(objectname) %(refname)",
    "refs/heads",
    "refs/tags",
    "refs/remotes",
  ];
  const { stdout, stderr, exitCode } = await runGit(args, place);
  if (exitCode !== 0) {
    throw new UserError(
      `Expected readable branches in ${repository}, found: ${stderr.trim()}; run "git fsck" there`,
    );
  }
  const lines = stdout.toString("latin1").split("\n");
  const known = new RegExp(`^${hash} refs/(heads|tags|remotes)/[^\\0- \\x7f]+$`);
  const odd = lines.at(-1) === "" ? lines.slice(0, -1).find((line) => !known.test(line)) : lines.at(-1);
  if (odd !== undefined) throw describeDamage("a branch or tag from git for-each-ref", quote(odd));
  return lines.slice(0, -1).map((line) => ({
    oid: line.slice(0, line.indexOf(" ")),
    name: line.slice(line.indexOf(" ") + 1),
  }));
}

async function readHead(place: GitPlace, hash: string): Promise<string | null> {
  const { stdout, exitCode } = await runGit(["rev-parse", "--quiet", "--verify", "HEAD^{commit}"], place);
  if (exitCode !== 0) return null;
  const head = stdout.toString("latin1");
  if (!new RegExp(`^${hash}\\n$`).test(head)) {
    throw describeDamage("the commit that is checked out from git rev-parse", quote(head));
  }
  return head.trim();
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

// A repository's configuration can put its work tree anywhere; what is made for it stays with what was named.
async function readTop(repository: string, place: GitPlace): Promise<string> {
  const { stdout, exitCode } = await runGit(["rev-parse", "--show-toplevel"], place);
  if (exitCode !== 0) return resolve(repository);
  const said = stdout.toString();
  if (!said.endsWith("\n")) throw describeDamage("the top folder from git rev-parse", quote(said));
  const top = resolve(said.slice(0, -1));
  const above = top.endsWith(sep) ? top : top + sep;
  return `${realpathSync(repository)}${sep}`.startsWith(above) ? top : resolve(repository);
}

function readShallow(path: string): ReadonlySet<string> {
  return new Set(existsSync(path) ? readFileSync(path, "latin1").split("\n").filter(Boolean) : []);
}

/** A bare repository as git makes one (gitrepository-layout), with refs in files and nothing else in it. */
function fillShadow(gitDir: string, { algorithm, refs, head, shallow }: Survey): void {
  const write = (name: string, text: string) => writeFileSync(join(gitDir, name), text, "latin1");
  for (const folder of ["objects", "refs"]) mkdirSync(join(gitDir, folder));
  const extensions = algorithm === "sha256" ? "[extensions]\n\tobjectFormat = sha256\n" : "";
  const version = extensions === "" ? 0 : 1;
  write("config", `[core]\n\trepositoryFormatVersion = ${version}\n\tbare = true\n${extensions}`);
  write("HEAD", `${head ?? "ref: refs/heads/main"}\n`);
  write("packed-refs", refs.map((ref) => `${ref.oid} ${ref.name}\n`).join(""));
  if (shallow.size > 0) write("shallow", [...shallow].map((commit) => `${commit}\n`).join(""));
}

/** Throws in place of `error` where it comes of what a partial clone lacks. To look for that means to walk over all
 * objects, so it is done only where reading has failed, and where packs are marked as those of a partial clone. */
export async function explainFailure(
  error: unknown,
  { repository, shadow, signal }: Failed,
): Promise<unknown> {
  if (isAbort(error) || !hasPromisorPacks(shadow.objectDirectory)) return error;
  const found = await describeMissing({ repository, shadow, signal });
  return found === undefined ? error : new UserError(found, { cause: error });
}

type Failed = {
  readonly repository: string;
  readonly shadow: Shadow;
  readonly signal?: AbortSignal | undefined;
};

function hasPromisorPacks(objectDirectory: string): boolean {
  const folder = join(objectDirectory, "pack");
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".promisor"));
}

async function describeMissing({ repository, shadow, signal }: Failed): Promise<string | undefined> {
  const args = ["rev-list", "--objects", "--missing=print", ...revisionsOf(shadow)];
  const child = streamGit(args, placeOf(shadow, signal));
  child.stdin.end();
  let missing = 0;
  for await (const line of createInterface({ input: child.stdout })) if (line.startsWith("?")) missing++;
  const { exitCode } = await child.done;
  if (missing === 0 && exitCode === 0) return undefined;
  const count = exitCode === 0 ? `${missing} contents` : "contents";
  return `Expected a complete clone at ${repository}, found a partial one that lacks ${count}; run "git fetch --refetch --no-filter" there, or clone again without --filter`;
}
