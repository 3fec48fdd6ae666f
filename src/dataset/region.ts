// The region format: the prompt numbers the file's lines, the answer names line ranges and gives their new text.
// The mapping from patches loses no byte; what it has no words for (modes, copies, links) is refused with a reason.
// Our own format; described in full by `regionAnswer` and `readRegion` below.

import { failure, type Result, success } from "../base/result.ts";
import type { Change } from "../patch/create.ts";
import { changesMode, type Hunk, type Line, type Patch } from "../patch/hunk.ts";
import { isSafePath, quotePath, unquotePath } from "../patch/path.ts";
import { type Edit, replaceLines, splitLines } from "../patch/text.ts";
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

const FILE_MODES: readonly string[] = ["100644", "100755"];
const RANGE = /^@(\d{1,9}),(\d{1,9})$/;
const FILE = "@file ";

/** Stands for lines that are not shown; every line that is shown has its number in front. */
export const REGION_GAP = "...\n";

/** What stands in front of a line, counted from 0. */
export function regionGutter(index: number): string {
  return `${index + 1}|`;
}

/** Files, then the message: the files come first so that their cache serves every message about them. */
export function regionPrompt(request: Request): string {
  return `${request.files.map(showFile).join("")}${messageLabel(request)}Change:\n`;
}

function showFile(file: RequestFile): string {
  const lines = splitLines(file.old ?? "");
  const number = (line: string, index: number) => regionGutter(index) + line;
  const out = [pathLabel(file)];
  let next = 0;
  for (const { start, end } of file.shown === "all" ? [{ start: 0, end: lines.length }] : file.shown) {
    if (start > next) out.push(REGION_GAP);
    for (let i = start; i < end; i++) out.push(number(lines[i]!, i));
    next = end;
  }
  if (next < lines.length) out.push(REGION_GAP);
  else if (next > 0 && !lines.at(-1)!.endsWith("\n")) out.push(`\n${NO_NEWLINE}\n`);
  return out.join("");
}

/** The answer for the patches of the files to change, in their order; of several files, each is named first. */
export function regionAnswer(request: Request, patches: readonly Patch[]): Result<string> {
  const files = filesToChange(request);
  const parts: string[] = [];
  for (const [i, file] of files.entries()) {
    const patch = patches[i]!;
    const refusal = refuse(patch);
    if (refusal !== undefined) return failure(refusal);
    const blocks = "hunks" in patch && keepsLines(patch) ? patch.hunks.flatMap(blocksOf) : [];
    if (!blocks.every(({ start, count }) => isShown(file, start, count))) return failure(OUTSIDE);
    if (files.length > 1) parts.push(`${FILE}${quotePath(file.path)}\n`);
    parts.push(printAnswer(patch, blocks));
  }
  return success(parts.join(""));
}

function keepsLines({ kind }: Patch): boolean {
  return kind === "modify" || kind === "rename";
}

/** Each maximal run of changed lines is one `@FIRST,COUNT` block. */
function printAnswer(patch: Patch, blocks: readonly Block[]): string {
  const body = (lines: readonly Line[]) => lines.map(bodyLine).join("");
  if (patch.kind === "create")
    return `@create ${patch.mode}\n${body(patch.hunks.flatMap((hunk) => hunk.lines))}`;
  if (patch.kind === "delete") return "@delete\n";
  const head = patch.kind === "rename" ? `@rename ${quotePath(patch.path)}\n` : "";
  return head + blocks.map(({ start, count, lines }) => `@${start + 1},${count}\n${body(lines)}`).join("");
}

/** Why a patch has no answer in this format, if it has none. */
function refuse(patch: Patch): string | undefined {
  if (patch.kind === "binary" || patch.kind === "copy") return patch.kind;
  const mode = patch.kind === "create" || patch.kind === "delete" ? patch.mode : patch.newMode;
  if (mode === "120000") return "symlink";
  if (mode === "160000") return "submodule";
  if (mode !== undefined && !FILE_MODES.includes(mode)) return `mode ${mode}`;
  return changesMode(patch) ? "mode change" : undefined;
}

/** `lines` in the place of `count` lines from `start` on, counted from 0. */
type Block = { readonly start: number; readonly count: number; readonly lines: readonly Line[] };

function blocksOf(hunk: Hunk): Block[] {
  const blocks: Block[] = [];
  let next = hunk.oldLines === 0 ? hunk.oldStart : hunk.oldStart - 1;
  for (let at = 0; at < hunk.lines.length; ) {
    if (hunk.lines[at]!.kind === "context") {
      at++;
      next++;
      continue;
    }
    const first = at;
    while (at < hunk.lines.length && hunk.lines[at]!.kind !== "context") at++;
    const run = hunk.lines.slice(first, at);
    const count = run.filter((line) => line.kind === "delete").length;
    blocks.push({ start: next, count, lines: run.filter((line) => line.kind === "add") });
    next += count;
  }
  return blocks;
}

function bodyLine({ text, eol }: Line): string {
  const escaped = text.startsWith("@") || text.startsWith("\\") ? `\\${text}` : text;
  return `${escaped}\n${eol ? "" : `${NO_NEWLINE}\n`}`;
}

type Directive = { readonly line: number; readonly head: string; readonly body: readonly string[] };

/** The changes that an answer means for the files to change; a file that it does not name stays as it is. */
export function readRegion(answer: string, request: Request): Result<readonly Change[]> {
  const directives = readDirectives(answer);
  if (!directives.ok) return directives;
  const files = filesToChange(request);
  const [only] = files;
  if (files.length === 1) return only === undefined ? success([]) : readOne(directives.value, only);
  if (directives.value.length === 0) return failure("empty answer");
  const changes: Change[] = [];
  const seen = new Set<RequestFile>();
  for (const { head, directives: section } of sectionsOf(directives.value)) {
    const file = findFile(head, files);
    if (!file.ok) return failure(`line ${head.line}: ${file.reason}`);
    if (seen.has(file.value)) return failure(`line ${head.line}: a file that was named before`);
    seen.add(file.value);
    const change = readFile(section, file.value);
    if (!change.ok) return failure(`${quotePath(file.value.path)}: ${change.reason}`);
    changes.push(change.value);
  }
  return success(changes);
}

function readOne(directives: readonly Directive[], file: RequestFile): Result<readonly Change[]> {
  const change = readFile(directives, file);
  return change.ok ? success([change.value]) : change;
}

type Section = { readonly head: Directive; readonly directives: readonly Directive[] };

/** Directives by the `@file` line above them; the first line is a section's head whatever it is. */
function sectionsOf(directives: readonly Directive[]): readonly Section[] {
  const sections: { head: Directive; directives: Directive[] }[] = [];
  for (const directive of directives) {
    const open = sections.at(-1);
    if (open === undefined || directive.head.startsWith(FILE)) {
      sections.push({ head: directive, directives: [] });
    } else open.directives.push(directive);
  }
  return sections;
}

function findFile({ head, body }: Directive, files: readonly RequestFile[]): Result<RequestFile> {
  if (!head.startsWith(FILE)) return failure("expected @file PATH");
  if (body.length > 0) return failure("expected a directive behind @file");
  const path = unquotePath(head.slice(FILE.length));
  if (!path.ok) return path;
  const file = files.find((file) => file.path === path.value);
  return file === undefined ? failure("not the path of a file to change") : success(file);
}

function readFile(directives: readonly Directive[], file: RequestFile): Result<Change> {
  const [first, ...rest] = directives;
  if (first === undefined) return failure("empty answer");
  if (first.head.startsWith("@create ")) return readCreate(first, rest, file);
  const { path, old } = file;
  if (old === null) return failure("there is no file to change");
  if (first.head === "@delete") {
    if (rest.length + first.body.length > 0) return failure(`line ${first.line + 1}: text behind @delete`);
    return success({ path, old, new: null });
  }
  if (first.head.startsWith("@rename ")) return readRename(first, rest, { ...file, old });
  const text = replaceBlocks(directives, { ...file, old });
  if (!text.ok) return text;
  return text.value === old ? failure("the answer changes nothing") : success({ path, old, new: text.value });
}

function readCreate(
  { line, head, body }: Directive,
  rest: readonly Directive[],
  { path, old }: RequestFile,
): Result<Change> {
  const mode = head.slice("@create ".length);
  if (!FILE_MODES.includes(mode)) return failure(`line ${line}: expected @create 100644 or @create 100755`);
  if (old !== null) return failure("the file to create is already there");
  if (rest.length > 0) return failure(`line ${rest[0]!.line}: a directive behind @create`);
  return success({ path, old, new: body.join(""), mode });
}

function readRename(
  { line, head, body }: Directive,
  blocks: readonly Directive[],
  file: PresentFile,
): Result<Change> {
  const { path, old } = file;
  const to = unquotePath(head.slice("@rename ".length));
  if (!to.ok) return failure(`line ${line}: ${to.reason}`);
  if (!isSafePath(to.value)) return failure(`line ${line}: an unsafe path`);
  if (to.value === path) return failure(`line ${line}: the new path is the old one`);
  if (body.length > 0) return failure(`line ${line + 1}: expected a directive behind @rename`);
  const text = replaceBlocks(blocks, file);
  return text.ok ? success({ path: to.value, from: path, old, new: text.value }) : text;
}

/** Cuts an answer at its directives and takes the escapes off the lines between them. */
function readDirectives(answer: string): Result<readonly Directive[]> {
  const lines = answer.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const directives: { line: number; head: string; body: string[] }[] = [];
  for (const [index, line] of lines.entries()) {
    const open = directives.at(-1);
    if (line.startsWith("@")) directives.push({ line: index + 1, head: line, body: [] });
    else if (open === undefined) return failure("line 1: expected a directive that starts with @");
    else {
      const wrong = addBodyLine(open.body, line);
      if (wrong !== undefined) return failure(`line ${index + 1}: ${wrong}`);
    }
  }
  return success(directives);
}

/** Adds a line with its "\n", or takes the "\n" off the line before; says what is wrong, if anything. */
function addBodyLine(body: string[], line: string): string | undefined {
  const last = body.at(-1);
  if (last !== undefined && !last.endsWith("\n")) return "text behind a line without a newline";
  if (line === NO_NEWLINE) {
    if (last === undefined || last === "\n") return "no line that could lack its newline";
    body[body.length - 1] = last.slice(0, -1);
    return undefined;
  }
  if (line.startsWith("\\") && line[1] !== "@" && line[1] !== "\\")
    return "a backslash before neither @ nor \\";
  body.push(`${line.startsWith("\\") ? line.slice(1) : line}\n`);
  return undefined;
}

type PresentFile = RequestFile & { readonly old: string };

function replaceBlocks(blocks: readonly Directive[], file: PresentFile): Result<string> {
  const edits: Edit[] = [];
  for (const { line, head, body } of blocks) {
    const match = RANGE.exec(head);
    if (match === null) return failure(`line ${line}: expected @FIRST,COUNT`);
    if (Number(match[1]) === 0) return failure(`line ${line}: lines are counted from 1`);
    const edit = { start: Number(match[1]) - 1, count: Number(match[2]), lines: body };
    if (!isShown(file, edit.start, edit.count))
      return failure(`line ${line}: names lines that are not shown`);
    edits.push(edit);
  }
  return replaceLines(file.old, edits);
}
