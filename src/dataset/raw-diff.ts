// The raw diff format of 2022: message, path and content in, a git diff out. An answer that is not exact is mended
// where that needs no guess (`patch/repair`).

import { failure, type Result, success } from "../base/result.ts";
import { applyPatch } from "../patch/apply.ts";
import { changesMode, type Patch, pathBefore } from "../patch/hunk.ts";
import { parsePatch } from "../patch/parse.ts";
import { isSafePath, quotePath } from "../patch/path.ts";
import { repairPatch } from "../patch/repair.ts";
import { splitLines } from "../patch/text.ts";
import {
  filesToChange,
  isShown,
  messageLabel,
  NO_NEWLINE,
  OUTSIDE,
  pathLabel,
  type Request,
  type RequestFile,
} from "./request.ts";

/** A patch with the diff that it was read from. */
export type WantedChange = { readonly patch: Patch; readonly diff: string };

export function diffPrompt(request: Request): string {
  return `${messageLabel(request)}${request.files.map(showFile).join("")}Diff:\n`;
}

/** The heading of a piece, as a hunk's heading has it for the old side. */
export const DIFF_GAP = "@@ -1000,100 @@\n";

/** A file as it is; of a window, each piece below a heading that says where it stands. */
function showFile(file: RequestFile): string {
  const old = file.old ?? "";
  const end = old === "" || old.endsWith("\n") ? "" : `\n${NO_NEWLINE}\n`;
  if (file.shown === "all") return pathLabel(file) + old + end;
  const lines = splitLines(old);
  const pieces = file.shown.map(({ start, end }) => {
    return `@@ -${start + 1},${end - start} @@\n${lines.slice(start, end).join("")}`;
  });
  return pathLabel(file) + pieces.join("") + (file.shown.at(-1)?.end === lines.length ? end : "");
}

/** The diffs without their `index` lines, one after another: nobody can foresee a hash. */
export function diffAnswer(request: Request, wanted: readonly WantedChange[]): Result<string> {
  const parts: string[] = [];
  for (const [i, file] of filesToChange(request).entries()) {
    const { patch, diff } = wanted[i]!;
    const refusal = refuse(patch);
    if (refusal !== undefined) return failure(refusal);
    // Context lines are part of the answer: who is to write them must see them.
    if (!hunksOf(patch).every((hunk) => isShown(file, ...placeOf(hunk)))) return failure(OUTSIDE);
    parts.push(withoutIndex(diff));
  }
  return success(parts.join(""));
}

function refuse(patch: Patch): string | undefined {
  if (patch.kind === "binary") return "binary";
  const mode = patch.kind === "create" || patch.kind === "delete" ? patch.mode : patch.newMode;
  if (mode === "120000") return "symlink";
  return mode === "160000" ? "submodule" : undefined;
}

type Lines = { readonly oldStart: number; readonly oldLines: number };

function hunksOf(patch: Patch): readonly Lines[] {
  return patch.kind === "binary" || patch.kind === "create" ? [] : patch.hunks;
}

/** The first old line, counted from 0, and how many. */
function placeOf({ oldStart, oldLines }: Lines): [start: number, count: number] {
  return [oldLines === 0 ? oldStart : oldStart - 1, oldLines];
}

/** A git diff without its `index` line. */
export function withoutIndex(diff: string): string {
  const at = diff.indexOf("\n@@ ");
  const header = at < 0 ? diff : diff.slice(0, at);
  const kept = header.split("\n").filter((line) => !line.startsWith("index "));
  return kept.join("\n") + diff.slice(header.length);
}

/** A hunk that fits below any header of a kind. */
const STUBS: Readonly<Record<Exclude<Patch["kind"], "binary">, string>> = {
  create: "@@ -0,0 +1 @@\n+x\n",
  delete: "@@ -1 +0,0 @@\n-x\n",
  modify: "@@ -1 +1 @@\n-x\n+y\n",
  rename: "@@ -1 +1 @@\n-x\n+y\n",
  copy: "@@ -1 +1 @@\n-x\n+y\n",
};

/**
 * Whether a whole file's answer means what the diff that it was made of means, without reading its lines again: from
 * the first hunk on they are the same text, and the answer's header reads as the patch.
 */
export function isSameDiff(answer: string, { patch, diff }: WantedChange): boolean {
  const at = diff.indexOf("\n@@ ") + 1;
  const hunks = at === 0 ? "" : diff.slice(at);
  if (patch.kind === "binary" || !answer.endsWith(hunks)) return false;
  const header = answer.slice(0, answer.length - hunks.length);
  const read = parsePatch(header + (at === 0 ? "" : STUBS[patch.kind]));
  const [found, ...rest] = read.ok ? read.value : [];
  if (found === undefined || rest.length > 0 || found.kind !== patch.kind) return false;
  const sameNames = found.path === patch.path && pathBefore(found) === pathBefore(patch);
  return sameNames && modeAfter(found) === modeAfter(patch);
}

/** The mode that a patch gives to its file, if it gives one. */
function modeAfter(patch: Patch): string | undefined {
  if ("mode" in patch) return patch.mode;
  return "newMode" in patch && changesMode(patch) ? patch.newMode : undefined;
}

/** What an answer means for a file: the patch, and the text that it makes of it. */
export type DiffReading = { readonly file: RequestFile; readonly patch: Patch; readonly text: string | null };

/** Reads an answer, the diff of each file as it stands if it is exact, else mended. */
export function readDiff(answer: string, request: Request): Result<readonly DiffReading[]> {
  const files = filesToChange(request);
  const readings: DiffReading[] = [];
  for (const text of files.length === 1 ? [answer] : splitFiles(answer)) {
    const file = files.length === 1 ? files[0] : findFile(text, files);
    if (file === undefined) return failure("a diff of a file that is not to change");
    if (readings.some((reading) => reading.file === file)) return failure("two diffs of one file");
    const reading = readFile(text, file);
    if (!reading.ok) return reading;
    readings.push(reading.value);
  }
  return readings.length === 0 && files.length > 0 ? failure("no diff found") : success(readings);
}

/** The diffs of a text of several; no line of a hunk starts as a diff does. */
function splitFiles(answer: string): readonly string[] {
  return answer.split(/^(?=diff --git )/m).filter((part) => part.startsWith("diff --git "));
}

/** The file whose path the first line names; of several that fit, as `a b` and `a`, the longest. */
function findFile(text: string, files: readonly RequestFile[]): RequestFile | undefined {
  return files
    .filter(({ path }) => text.startsWith(`diff --git ${quotePath(`a/${path}`)} `))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

function readFile(answer: string, file: RequestFile): Result<DiffReading> {
  const exact = readExact(answer, file);
  if (exact !== undefined) return exact.ok ? requireShown(exact.value) : exact;
  const patch = repairPatch(answer, file);
  if (!patch.ok) return patch;
  const text = applyPatch(patch.value, file.old);
  return text.ok ? requireShown({ file, patch: patch.value, text: text.value }) : text;
}

/** `undefined` for an answer that needs mending. */
function readExact(answer: string, file: RequestFile): Result<DiffReading> | undefined {
  const { path, old } = file;
  const patches = parsePatch(answer);
  if (!patches.ok) return undefined;
  const [patch, ...rest] = patches.value;
  if (rest.length > 0) return failure("more than one file");
  if (patch === undefined || pathBefore(patch) !== path) return undefined;
  if (!isSafePath(patch.path)) return failure("an unsafe path");
  const text = applyPatch(patch, old);
  if (!text.ok) return undefined;
  const idle = patch.kind === "modify" && text.value === old && !changesMode(patch);
  return idle ? failure("the answer changes nothing") : success({ file, patch, text: text.value });
}

/** Context that a mended patch has taken from the file itself may be hidden; a changed line may not. */
function requireShown(reading: DiffReading): Result<DiffReading> {
  const { file, patch } = reading;
  if (file.shown === "all" || patch.kind === "binary") return success(reading);
  for (const hunk of patch.hunks) {
    let [line] = placeOf(hunk);
    for (const { kind } of hunk.lines) {
      if (kind !== "context" && !isShown(file, line, kind === "delete" ? 1 : 0))
        return failure("changes lines that are not shown");
      if (kind !== "add") line++;
    }
  }
  return success(reading);
}
