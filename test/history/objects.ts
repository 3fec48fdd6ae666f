// For tests only: objects that no git command would write, bytes and all: trees with names that git refuses, commits
// whose headers are wrong. `git hash-object --literally` asks no questions.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plainGit } from "./plain-git.ts";

/** Writes objects and returns their ids, in order. */
export async function writeObjects(
  repository: string,
  type: "blob" | "tree" | "commit" | "tag",
  contents: readonly (string | Buffer)[],
): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-objects-"));
  try {
    const paths = contents.map((_, i) => join(folder, String(i)));
    for (const [i, path] of paths.entries()) writeFileSync(path, contents[i]!);
    const args = ["hash-object", "-w", "--literally", "--no-filters", "-t", type, "--stdin-paths"];
    const ids = await plainGit(args, { cwd: repository, input: `${paths.join("\n")}\n` });
    return ids.split("\n").filter(Boolean);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An entry of a tree; its name may be what no file can be called. */
export type Entry = { readonly mode: string; readonly name: string | Buffer; readonly oid: string };

/** The bytes of a tree object: entries as they are given, in git's form `MODE NAME\0ID`. */
export function treeBytes(entries: readonly Entry[]): Buffer {
  return Buffer.concat(
    entries.flatMap(({ mode, name, oid }) => [
      Buffer.from(`${mode} `),
      Buffer.from(name),
      Buffer.from([0]),
      Buffer.from(oid, "hex"),
    ]),
  );
}

export const STAMP = "Ada Example <ada@example.invalid> 1700000000 +0000";

/** The bytes of a commit object with plain headers. */
export function commitBytes(tree: string, message: string, parents: readonly string[] = []): string {
  const above = parents.map((parent) => `parent ${parent}\n`).join("");
  return `tree ${tree}\n${above}author ${STAMP}\ncommitter ${STAMP}\n\n${message}\n`;
}

/** Points branches at commits. */
export async function setBranches(repository: string, tips: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(tips).map(([name, oid]) => `update refs/heads/${name} ${oid}\n`);
  await plainGit(["update-ref", "--stdin"], { cwd: repository, input: lines.join("") });
}

/** A tree of ten names on each of so many levels: ten to their power of paths, in a kilobyte. */
export async function plantTreeBomb(repository: string, levels: number): Promise<string> {
  let [oid] = await writeObjects(repository, "blob", ["boom\n"]);
  for (let level = 0; level < levels; level++) {
    const mode = level === 0 ? "100644" : "40000";
    const entries = Array.from({ length: 10 }, (_, i) => ({ mode, name: `n${i}`, oid: oid! }));
    [oid] = await writeObjects(repository, "tree", [treeBytes(entries)]);
  }
  return oid!;
}
