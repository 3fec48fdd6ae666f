// For tests only: what git itself says of a history, asked without the product's flags, parser and applier. Diffs are
// applied by `git apply`: old contents go into an index under plain numbers, so that one process proves thousands.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Example } from "../../src/dataset/example.ts";
import { plainBytes, plainGit } from "./plain-git.ts";

/** One record of `git log --raw`. Paths are bytes as latin-1. */
export type OracleRecord = {
  readonly commit: string;
  readonly status: string;
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldOid: string;
  readonly newOid: string;
  readonly oldPath: string;
  readonly newPath: string;
};

const WHERE = ["--branches", "--tags", "--remotes", "HEAD", "--no-merges"];

/** Every record of branches, tags, remote branches and HEAD, without merges; git looks for renames by itself. */
export async function recordsOf(
  repository: string,
  where: readonly string[] = WHERE,
): Promise<OracleRecord[]> {
  const own = ["-c", "core.bigFileThreshold=1m", "-c", "diff.renameLimit=1000"];
  const what = ["--raw", "-z", "--no-abbrev", "--root", "-M", "--no-show-signature", "--format=%H"];
  const bytes = await plainBytes([...own, "log", ...what, ...where, "--"], {
    cwd: repository,
    env: { GIT_NO_REPLACE_OBJECTS: "1", GIT_GRAFT_FILE: "/dev/null" },
  });
  return parseRaw(bytes.toString("latin1"));
}

function parseRaw(text: string): OracleRecord[] {
  const fields = text.split("\0");
  const records: OracleRecord[] = [];
  let commit = "";
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!.replace(/^\n/, "");
    if (!field.startsWith(":")) {
      commit = field === "" ? commit : field;
      continue;
    }
    const [oldMode, newMode, oldOid, newOid, score] = field.slice(1).split(" ") as [
      string,
      string,
      string,
      string,
      string,
    ];
    const status = score[0]!;
    const oldPath = fields[++i]!;
    const newPath = status === "R" || status === "C" ? fields[++i]! : oldPath;
    records.push({ commit, status, oldMode, newMode, oldOid, newOid, oldPath, newPath });
  }
  return records;
}

/** A record by what the dataset says of it. */
export function keyOf(commit: string, path: string): string {
  return `${commit} ${path}`;
}

/** The record's key, its path as the dataset spells it. */
export function keyOfRecord({ commit, oldPath }: OracleRecord): string {
  return keyOf(commit, Buffer.from(oldPath, "latin1").toString("utf8"));
}

/** Records by key. A file that goes to two places has two records from one path; the copy comes second. */
export function byKey(records: readonly OracleRecord[]): ReadonlyMap<string, OracleRecord> {
  const map = new Map<string, OracleRecord>();
  const copiesFirst = [...records].sort((a, b) => Number(b.status === "C") - Number(a.status === "C"));
  for (const record of copiesFirst) map.set(keyOfRecord(record), record);
  return map;
}

type Proof = { readonly example: Example; readonly record: OracleRecord };

const BATCH = 2000;

/** Each example starts from git's old blob, and its hunks, applied by git to that, give git's new blob. */
export async function assertReapplies(
  repository: string,
  examples: readonly Example[],
  records: ReadonlyMap<string, OracleRecord>,
): Promise<void> {
  const proofs = examples.map((example) => {
    const record = records.get(keyOf(example.commit, example.path));
    assert.ok(record, `no record of git for ${example.commit} ${JSON.stringify(example.path)}`);
    return { example, record };
  });
  for (let first = 0; first < proofs.length; first += BATCH) {
    await assertBatch(repository, proofs.slice(first, first + BATCH));
  }
}

async function assertBatch(repository: string, proofs: readonly Proof[]): Promise<void> {
  for (const { example, record } of proofs) assertOld(example, record);
  const folder = mkdtempSync(join(tmpdir(), "codefudge-oracle-"));
  try {
    const place = { cwd: folder, env: await placeBeside(repository, folder) };
    const entries = proofs.flatMap(({ record }, i) =>
      isNothing(record.oldOid) ? [] : [`100644 ${record.oldOid}\t${i}\n`],
    );
    await plainGit(["update-index", "--add", "--index-info"], { ...place, input: entries.join("") });
    const input = proofs.map(({ example, record }, i) => plainDiff(example, record, i)).join("");
    const apply = ["apply", "--cached", "--whitespace=nowarn", "--allow-empty"];
    await plainGit(apply, { ...place, input });
    const listed = await plainGit(["ls-files", "--stage"], place);
    const after = new Map(
      listed.split("\n").map((line) => [line.slice(line.indexOf("\t") + 1), line.split(" ")[1]]),
    );
    for (const [i, { example, record }] of proofs.entries()) {
      const wanted = isNothing(record.newOid) ? undefined : record.newOid;
      assert.equal(after.get(String(i)), wanted, `${example.commit} ${example.path}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A git folder of its own that borrows the repository's objects and writes none there. */
async function placeBeside(repository: string, folder: string): Promise<Record<string, string>> {
  const args = ["rev-parse", "--path-format=absolute", "--show-object-format", "--git-path", "objects"];
  const [format, objects] = (await plainGit(args, { cwd: repository })).split("\n");
  await plainGit(["init", "--quiet", "--bare", "--template=", `--object-format=${format}`, folder], {
    cwd: folder,
  });
  return { GIT_DIR: folder, GIT_ALTERNATE_OBJECT_DIRECTORIES: objects! };
}

function assertOld({ old, commit, path }: Example, { oldOid }: OracleRecord): void {
  const name = old === null ? undefined : blobName(Buffer.from(old), oldOid.length);
  assert.equal(name, isNothing(oldOid) ? undefined : oldOid, `old content of ${commit} ${path}`);
}

/** git's name of a content: of its length and bytes. */
export function blobName(bytes: Buffer, digits: number): string {
  const hash = createHash(digits === 64 ? "sha256" : "sha1");
  return hash.update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** The hunks of an example under a header whose names are its number; nothing where nothing changes. */
function plainDiff({ diff }: Example, { oldOid, newOid }: OracleRecord, number: number): string {
  const at = diff.indexOf("\n@@ ");
  const made = isNothing(oldOid);
  const gone = isNothing(newOid);
  const sides = `--- ${made ? "/dev/null" : `a/${number}`}\n+++ ${gone ? "/dev/null" : `b/${number}`}`;
  const hunks = at < 0 ? "" : sides + diff.slice(at);
  if (hunks === "" && !made && !gone) return "";
  const mode = made ? "new file mode 100644\n" : gone ? "deleted file mode 100644\n" : "";
  return `diff --git a/${number} b/${number}\n${mode}${hunks}`;
}

function isNothing(oid: string): boolean {
  return /^0+$/.test(oid);
}

/** The text that the hunks of a diff make, checked line by line against the old one; written for nothing but tests. */
export function applyHunks(old: string, diff: string): string {
  const lines = old.split(/(?<=\n)/);
  const out: string[] = [];
  let at = 0;
  for (const hunk of diff.split(/(?<=\n)(?=@@ -)/).slice(1)) {
    const [head, ...body] = hunk.split(/(?<=\n)/);
    const [, start, length] = /^@@ -(\d+)(?:,(\d+))? /.exec(head!)!;
    const first = length === "0" ? Number(start) : Number(start) - 1;
    out.push(...lines.slice(at, first));
    at = first;
    for (const [i, line] of body.entries()) {
      if (line.startsWith("\\")) continue;
      const text = body[i + 1]?.startsWith("\\") ? line.slice(1, -1) : line.slice(1);
      if (line[0] !== "+") assert.equal(lines[at++], text);
      if (line[0] !== "-") out.push(text);
    }
  }
  return [...out, ...lines.slice(at)].join("");
}
