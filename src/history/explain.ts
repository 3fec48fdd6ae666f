// What became of one commit, or of one file of it, in a dataset: which line it is, or why it is none. Looks it up in the
// dataset's files, with the options that the dataset was made with, and reads the one commit again; changes nothing.

import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { showText } from "../base/show.ts";
import type { Split } from "../dataset/example.ts";
import { type Dropped, readManifest, splitPath, splits } from "../dataset/store.ts";
import { quotePath, unquotePath } from "../patch/path.ts";
import type { Change, LogCommit } from "./change.ts";
import { runGit } from "./git.ts";
import { readLog } from "./log.ts";
import { type HistoryOptions, logOptionsOf, selectionOf } from "./options.ts";
import { canHaveExamples, listCommits } from "./order.ts";
import { explainFailure, openShadow, placeOf, type Shadow } from "./shadow.ts";
import { describeDamage } from "./surprise.ts";

/** What became of a record; `null` when the dataset does not know it. */
export type Fate =
  | { readonly split: Split; readonly line: number }
  | { readonly reason: string; readonly detail?: string }
  | null;

export type ExplainedRecord = {
  /** git's letter: A, C, D, M, R or T. */
  readonly status: string;
  readonly path: string;
  /** The name after a rename or copy. */
  readonly newPath?: string;
  readonly fate: Fate;
};

export type Explanation = {
  readonly commit: string;
  readonly message: string;
  /** Committer time, seconds since 1970. */
  readonly time: number;
  /** What is to be said of the commit as a whole, if anything. */
  readonly note: string | null;
  readonly records: readonly ExplainedRecord[];
};

/** Explains `target`, a commit as git takes it, or COMMIT:PATH, the path of a file or folder; a `UserError` when there is
 * no such thing. */
export async function explain(
  { repository, folder }: { readonly repository: string; readonly folder: string },
  target: string,
  signal?: AbortSignal,
): Promise<Explanation> {
  const options = readManifest(folder).options as HistoryOptions;
  const colon = target.indexOf(":");
  const [name, path] = colon < 0 ? [target, ""] : [target.slice(0, colon), target.slice(colon + 1)];
  const shadow = await openShadow(repository, signal);
  try {
    const hash = await resolveCommit(name, shadow, signal);
    const { commit, changes } = await readOne(shadow, hash, options);
    const { message, time } = { message: commit.message ?? "", time: commit.time };
    const note = await noteOn(shadow, hash, options);
    if (note !== null) return { commit: hash, message, time, note, records: [] };
    const chosen = choose(changes, name, path);
    const records = explainRecords(chosen, findFates(folder, hash));
    return {
      commit: hash,
      message,
      time,
      note: records.length === 0 ? "It changes no files" : null,
      records,
    };
  } catch (error) {
    throw await explainFailure(error, { repository, shadow, signal });
  } finally {
    shadow.dispose();
  }
}

async function resolveCommit(name: string, shadow: Shadow, signal?: AbortSignal): Promise<string> {
  const args = ["rev-parse", "--quiet", "--verify", "--end-of-options", `${name}^{commit}`];
  const { stdout, exitCode } = await runGit(args, placeOf(shadow, signal));
  if (exitCode === 0) return stdout.toString().trim();
  throw new UserError(
    `Expected a commit of this repository, or COMMIT:PATH, found "${showText(name)}"; "git log --oneline" lists their names`,
  );
}

async function readOne(shadow: Shadow, hash: string, options: HistoryOptions) {
  let commit: LogCommit | undefined;
  const changes: Change[] = [];
  for await (const entries of readLog(shadow, [hash], logOptionsOf(options))) {
    for (const entry of entries) {
      if (entry.kind === "commit") commit = entry.commit;
      else changes.push(entry.change);
    }
  }
  if (commit?.hash !== hash) throw describeDamage(`commit ${hash} from git log`, commit?.hash ?? "none");
  return { commit, changes };
}

/** Why the dataset has nothing of a commit at all, if that is so. */
async function noteOn(shadow: Shadow, hash: string, options: HistoryOptions): Promise<string | null> {
  const selection = selectionOf(options);
  const { reachable, selected } = await listCommits(shadow, selection);
  const commit = reachable.find((one) => one.hash === hash);
  if (commit === undefined) {
    return options.merges === "first-parent"
      ? "It was not read: with --merges first-parent only what is checked out and its first parents are"
      : "It was not read: no branch or tag leads to it";
  }
  if (!selected.includes(commit)) {
    return "It was not read: it is outside the range of --since, --until and --max_commits";
  }
  if (canHaveExamples(commit, shadow, selection) || shadow.shallow.has(hash)) return null;
  return "It is a merge: what it brings is counted where it was made; --merges first-parent reads merges instead";
}

/** The changes of a file, of a folder, or all; a path may be quoted as git prints it. */
function choose(changes: readonly Change[], name: string, path: string): Change[] {
  const plain = unquotePath(path);
  const wanted = [path, ...(plain.ok ? [plain.value] : [])].map((one) =>
    one.replace(/^(?:\.\/)+/, "").replace(/\/+$/, ""),
  );
  const names = ({ oldPath, newPath }: Change) => [oldPath.toString("utf8"), newPath.toString("utf8")];
  const isMeant = (found: string) =>
    wanted.some((one) => one === "" || one === found || found.startsWith(`${one}/`));
  const chosen = changes.filter((change) => names(change).some(isMeant));
  if (chosen.length > 0 || changes.length === 0) return chosen;
  const known = changes.slice(0, 10).map((change) => showText(quotePath(names(change)[1]!)));
  throw new UserError(
    `Expected a file or folder that ${showText(name)} changes, found "${showText(path)}"; it changes ${known.join(", ")}${changes.length > 10 ? ", and more" : ""}`,
  );
}

type Fates = { readonly path: string; readonly fate: Fate }[];

function explainRecords(changes: readonly Change[], fates: Fates): ExplainedRecord[] {
  return changes.map(({ status, oldPath, newPath }) => {
    const path = oldPath.toString("utf8");
    const at = fates.findIndex((one) => one.path === path);
    const fate = at < 0 ? null : fates.splice(at, 1)[0]!.fate;
    const renamed = newPath.equals(oldPath) ? {} : { newPath: newPath.toString("utf8") };
    return { status, path, ...renamed, fate };
  });
}

function findFates(folder: string, hash: string): Fates {
  const dropped = linesOf(join(folder, "dropped.jsonl"), hash).map(({ text }) => {
    const { path, reason, detail } = JSON.parse(text) as Dropped;
    return { path, fate: detail === undefined ? { reason } : { reason, detail } };
  });
  const kept = splits.flatMap((split) =>
    linesOf(splitPath(folder, split), hash).map(({ text, number }) => {
      const { path } = JSON.parse(text) as { path: string };
      return { path, fate: { split, line: number } };
    }),
  );
  return [...dropped, ...kept];
}

const CHUNK = 1 << 20;
const NEWLINE = 10;

/** The lines of a file that are of one commit, counted from 1. Within a string the quotes of the key are escaped. */
function linesOf(path: string, hash: string): { readonly text: string; readonly number: number }[] {
  const key = Buffer.from(`"commit":"${hash}"`);
  const found: { text: string; number: number }[] = [];
  const handle = openSync(path, "r");
  try {
    let rest = Buffer.alloc(0);
    let number = 0;
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (let size = readSync(handle, chunk); size > 0; size = readSync(handle, chunk)) {
      const bytes = Buffer.concat([rest, chunk.subarray(0, size)]);
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
        number++;
        const line = bytes.subarray(start, end);
        if (line.includes(key)) found.push({ text: line.toString("utf8"), number });
        start = end + 1;
      }
      rest = bytes.subarray(start);
    }
    return found;
  } finally {
    closeSync(handle);
  }
}
