// The texts of the commit that is checked out, one after another: what stands in the repository now, without its
// history. Files that are not text, and large ones, are passed over.

import { isUtf8 } from "node:buffer";
import { UserError } from "../base/errors.ts";
import { type BlobReader, openBlobs } from "./blobs.ts";
import { runGit } from "./git.ts";
import { explainFailure, openShadow, placeOf, type Shadow } from "./shadow.ts";
import { createRoom, createSlabs } from "./slabs.ts";

export type TreeFile = { readonly path: string; readonly text: string };

export type TreeLimits = {
  /** Bytes of all files together; what does not fit is passed over. */
  readonly bytes: number;
  readonly signal?: AbortSignal;
};

const LARGEST = 1024 * 1024;
const FILE = /^100\d{3} blob ([0-9a-f]+) +(\d+)\t(.+)$/s;
/** What git says of a file whose content a clone does not have. */
const LACKING = /^100\d{3} blob [0-9a-f]+ +BAD\t/;
const AT_ONCE = 64;

type Entry = { readonly path: string; readonly oid: string; readonly size: number };

/** The text files of the commit that is checked out in the repository in or above `folder`, in the order of their paths. */
export async function* readTree(
  folder: string,
  { bytes, signal }: TreeLimits,
): AsyncGenerator<TreeFile, void> {
  const shadow = await openShadow(folder, signal);
  const blobs = openBlobs(shadow, signal);
  try {
    const files = withinLimit(await listFiles(shadow, signal), bytes);
    for (let at = 0; at < files.length; at += AT_ONCE) yield* readFiles(blobs, files.slice(at, at + AT_ONCE));
  } catch (error) {
    throw await explainFailure(error, { repository: folder, shadow, signal });
  } finally {
    await blobs.dispose();
    shadow.dispose();
  }
}

async function listFiles(shadow: Shadow, signal?: AbortSignal): Promise<Entry[]> {
  if (shadow.head === null) return [];
  const { stdout, exitCode, stderr } = await runGit(
    ["ls-tree", "-r", "-l", "-z", shadow.head],
    placeOf(shadow, signal),
  );
  const lines = stdout.toString("utf8").split("\0");
  const missing = lines.find((line) => LACKING.test(line));
  if (exitCode !== 0 || missing !== undefined) {
    throw new UserError(
      `Expected the files of ${shadow.head}, found ${missing ?? stderr.trim()}; run "git fsck" there`,
    );
  }
  return lines.flatMap((line) => {
    const match = FILE.exec(line);
    return match ? [{ oid: match[1]!, size: Number(match[2]), path: match[3]! }] : [];
  });
}

function withinLimit(files: readonly Entry[], bytes: number): Entry[] {
  let left = bytes;
  return files.filter(({ size }) => {
    if (size === 0 || size > LARGEST || size > left) return false;
    left -= size;
    return true;
  });
}

async function* readFiles(blobs: BlobReader, files: readonly Entry[]): AsyncGenerator<TreeFile, void> {
  const room = createRoom(createSlabs());
  const answers = await blobs.ask(
    files.map(({ oid }) => ({ oid, most: LARGEST })),
    room,
  );
  for (const [i, { at, size }] of answers.entries()) {
    const content = room.bytes().subarray(at!, at! + size);
    if (!isUtf8(content) || content.subarray(0, 8000).includes(0)) continue;
    yield { path: files[i]!.path, text: content.toString("utf8") };
  }
}
