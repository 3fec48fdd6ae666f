// Reads git's unified diffs, strictly: what does not follow the format to the letter is refused with the line and
// the reason (git-diff, "Generating patch text with -p"). Text only: knows neither the files nor git's objects.
// Mending what a model wrote is `repair.ts`.

import { failure, type Result, success } from "../base/result.ts";
import { type Cursor, failAt, found } from "./cursor.ts";
import {
  type Extended,
  type ExtendedName,
  type NamePairs,
  readExtended,
  readNamePairs,
  readSides,
  type Sides,
} from "./header.ts";
import type { Hunk, Patch } from "./hunk.ts";
import { readHunks } from "./lines.ts";

/** What stands below the header of one file. */
type Body =
  | { readonly kind: "text"; readonly sides: Sides; readonly hunks: readonly Hunk[] }
  | { readonly kind: "binary" }
  | { readonly kind: "none" };

type Names = { readonly from: string; readonly path: string };

/** The changes of a diff, one for each file; an empty text has none. */
export function parsePatch(text: string): Result<readonly Patch[]> {
  const lines = text.split("\n");
  if (lines.pop() !== "") return failure(`line ${lines.length + 1}: the last line has no newline`);
  const cursor: Cursor = { lines, at: 0 };
  const patches: Patch[] = [];
  while (cursor.at < lines.length) {
    const patch = readFile(cursor);
    if (!patch.ok) return patch;
    patches.push(patch.value);
  }
  return success(patches);
}

function readFile(cursor: Cursor): Result<Patch> {
  const line = cursor.lines[cursor.at]!;
  if (line.startsWith("diff --git ")) return readGitFile(cursor);
  if (line.startsWith("--- ")) return readBareFile(cursor);
  return failAt(cursor, `expected "diff --git", found ${found(cursor)}`);
}

/** A diff of other tools: nothing but the `---`/`+++` pair above the hunks. */
function readBareFile(cursor: Cursor): Result<Patch> {
  const start = cursor.at;
  const body = readTextBody(cursor);
  if (!body.ok) return body;
  const { sides, hunks } = body.value;
  if (sides.old !== null && sides.new !== null && sides.old !== sides.new) {
    return failure(`line ${start + 1}: the two names differ and there is no rename line`);
  }
  const path = (sides.new ?? sides.old)!;
  if (sides.old === null) return checkWhole({ kind: "create", path, mode: "100644", hunks }, start);
  if (sides.new === null) return checkWhole({ kind: "delete", path, mode: "100644", hunks }, start);
  return success({ kind: "modify", path, hunks });
}

function readGitFile(cursor: Cursor): Result<Patch> {
  const start = cursor.at;
  const pairs = readNamePairs(cursor);
  if (!pairs.ok) return pairs;
  const extended = readExtended(cursor);
  if (!extended.ok) return extended;
  const body = readBody(cursor);
  if (!body.ok) return body;
  const names = resolveNames(pairs.value, extended.value, body.value);
  const patch = names.ok ? assemble(names.value, extended.value, body.value) : names;
  return patch.ok ? checkWhole(patch.value, start) : failure(`line ${start + 1}: ${patch.reason}`);
}

function readBody(cursor: Cursor): Result<Body> {
  const line = cursor.lines[cursor.at];
  if (line === "GIT binary patch") return skipBinary(cursor);
  if (line?.startsWith("Binary files ") && line.endsWith(" differ")) {
    cursor.at++;
    return success({ kind: "binary" });
  }
  return line?.startsWith("--- ") ? readTextBody(cursor) : success({ kind: "none" });
}

function readTextBody(cursor: Cursor): Result<Extract<Body, { kind: "text" }>> {
  const sides = readSides(cursor);
  if (!sides.ok) return sides;
  const hunks = readHunks(cursor);
  return hunks.ok ? success({ kind: "text", sides: sides.value, hunks: hunks.value }) : hunks;
}

/** Passes one or two blocks of base-85 lines, each closed by an empty line. */
function skipBinary(cursor: Cursor): Result<Body> {
  cursor.at++;
  let blocks = 0;
  for (; /^(?:literal|delta) \d+$/.test(cursor.lines[cursor.at] ?? ""); blocks++) {
    cursor.at++;
    while (/^[A-Za-z][0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]+$/.test(cursor.lines[cursor.at] ?? "")) cursor.at++;
    if (cursor.lines[cursor.at] !== "")
      return failAt(cursor, `expected an empty line, found ${found(cursor)}`);
    cursor.at++;
  }
  if (blocks === 0 || blocks > 2) return failAt(cursor, "a binary patch has one or two blocks of data");
  return success({ kind: "binary" });
}

function resolveNames(pairs: NamePairs, extended: Extended, body: Body): Result<Names> {
  const from = extended.get("rename from") ?? extended.get("copy from");
  const to = extended.get("rename to") ?? extended.get("copy to");
  if ((from === undefined) !== (to === undefined)) return failure("a rename or copy names one side only");
  const sides = body.kind === "text" ? body.sides : undefined;
  const both = sides?.new ?? sides?.old ?? pairs.find(([a, b]) => a === b)?.[0];
  const names = { from: from ?? both, path: to ?? both };
  if (!pairs.some(([a, b]) => a === names.from && b === names.path)) {
    return failure("the names of the diff --git line are not those of the lines below it");
  }
  if (sides?.old != null && sides.old !== names.from) return failure("the --- line names another file");
  if (sides?.new != null && sides.new !== names.path) return failure("the +++ line names another file");
  return success(names as Names);
}

const KINDS: Readonly<Partial<Record<ExtendedName, Patch["kind"]>>> = {
  "new file mode": "create",
  "deleted file mode": "delete",
  "rename from": "rename",
  "copy from": "copy",
};

/** The kind that the extended lines state; at most one of them may. */
function kindOf(extended: Extended): Result<Patch["kind"]> {
  const kinds = [...extended.keys()].flatMap((name) => KINDS[name] ?? []);
  if (kinds.length > 1) return failure(`one file is said to be both ${kinds[0]}d and ${kinds[1]}d`);
  const kind = kinds[0] ?? "modify";
  const takes = (name: ExtendedName, wanted: Patch["kind"]) => !extended.has(name) || kind === wanted;
  if (!takes("rename to", "rename") || !takes("copy to", "copy"))
    return failure("rename and copy lines mixed");
  if (extended.has("old mode") !== extended.has("new mode")) return failure("only one of old and new mode");
  const whole = kind === "create" || kind === "delete";
  if (whole && extended.has("old mode")) return failure(`a file that is ${kind}d has two modes`);
  return success(kind);
}

function assemble({ from, path }: Names, extended: Extended, body: Body): Result<Patch> {
  const stated = kindOf(extended);
  if (!stated.ok) return stated;
  const kind = stated.value;
  if (body.kind === "binary") return success({ kind: "binary", path });
  const hunks = body.kind === "text" ? body.hunks : [];
  if (body.kind === "text" && (body.sides.old === null) !== (kind === "create")) {
    return failure('"--- /dev/null" and "new file mode" go together');
  }
  if (body.kind === "text" && (body.sides.new === null) !== (kind === "delete")) {
    return failure('"+++ /dev/null" and "deleted file mode" go together');
  }
  if (kind === "create") return success({ kind, path, mode: extended.get("new file mode")!, hunks });
  if (kind === "delete") return success({ kind, path, mode: extended.get("deleted file mode")!, hunks });
  const modes = modesOf(extended);
  if (kind === "rename" || kind === "copy") return success({ kind, from, path, ...modes, hunks });
  if (hunks.length === 0 && modes.oldMode === modes.newMode) return failure("the diff changes nothing");
  return success({ kind: "modify", path, ...modes, hunks });
}

/** Modes from the mode lines, else the one mode that the index line shows for both sides. */
function modesOf(extended: Extended): { oldMode?: string; newMode?: string } {
  const kept = extended.get("index")?.split(" ")[1];
  const oldMode = extended.get("old mode") ?? kept;
  const newMode = extended.get("new mode") ?? kept;
  return oldMode === undefined || newMode === undefined ? {} : { oldMode, newMode };
}

/** A created file has only added lines, a deleted one only deleted lines. */
function checkWhole(patch: Patch, start: number): Result<Patch> {
  if (patch.kind !== "create" && patch.kind !== "delete") return success(patch);
  const wanted = patch.kind === "create" ? "add" : "delete";
  const whole = patch.hunks.every(
    (hunk) =>
      (patch.kind === "create" ? hunk.oldStart : hunk.newStart) === 0 &&
      hunk.lines.every((line) => line.kind === wanted),
  );
  if (whole) return success(patch);
  return failure(`line ${start + 1}: a file that is ${patch.kind}d has other lines than ${wanted} lines`);
}
