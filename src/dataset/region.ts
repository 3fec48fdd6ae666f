// The region format: the prompt numbers the file's lines, the answer names line ranges and gives their new text.
// The mapping from patches loses no byte; what it has no words for (modes, copies, links) is refused with a reason.
// Our own format; described in full by `regionAnswer` and `readRegion` below.

import { failure, type Result, success } from "../base/result.ts";
import type { Change } from "../patch/create.ts";
import { changesMode, type Hunk, type Line, type Patch } from "../patch/hunk.ts";
import { isSafePath, quotePath, unquotePath } from "../patch/path.ts";
import { type Edit, replaceLines, splitLines } from "../patch/text.ts";
import { messageLabel, NO_NEWLINE, pathLabel, type Request } from "./request.ts";

const FILE_MODES: readonly string[] = ["100644", "100755"];
const RANGE = /^@(\d{1,9}),(\d{1,9})$/;

/** Path, file, message: the file comes first so that its cache serves every message about it. */
export function regionPrompt(request: Request): string {
  const lines = splitLines(request.old ?? "").map((line, index) => `${index + 1}|${line}`);
  const open = lines.length > 0 && !lines.at(-1)!.endsWith("\n");
  return `${pathLabel(request)}${lines.join("")}${open ? `\n${NO_NEWLINE}\n` : ""}${messageLabel(request)}Change:\n`;
}

/** The answer for a patch: each maximal run of changed lines becomes one `@FIRST,COUNT` block. */
export function regionAnswer(patch: Patch): Result<string> {
  const refusal = refuse(patch);
  if (refusal !== undefined) return failure(refusal);
  switch (patch.kind) {
    case "create":
      return success(
        `@create ${patch.mode}\n${patch.hunks
          .flatMap((hunk) => hunk.lines)
          .map(bodyLine)
          .join("")}`,
      );
    case "delete":
      return success("@delete\n");
    case "rename":
      return success(`@rename ${quotePath(patch.path)}\n${patch.hunks.map(printBlocks).join("")}`);
    default:
      return success("hunks" in patch ? patch.hunks.map(printBlocks).join("") : "");
  }
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

function printBlocks(hunk: Hunk): string {
  const out: string[] = [];
  let next = hunk.oldLines === 0 ? hunk.oldStart + 1 : hunk.oldStart;
  for (let at = 0; at < hunk.lines.length; ) {
    if (hunk.lines[at]!.kind === "context") {
      at++;
      next++;
      continue;
    }
    const start = at;
    while (at < hunk.lines.length && hunk.lines[at]!.kind !== "context") at++;
    const run = hunk.lines.slice(start, at);
    const count = run.filter((line) => line.kind === "delete").length;
    out.push(`@${next},${count}\n`, ...run.filter((line) => line.kind === "add").map(bodyLine));
    next += count;
  }
  return out.join("");
}

function bodyLine({ text, eol }: Line): string {
  const escaped = text.startsWith("@") || text.startsWith("\\") ? `\\${text}` : text;
  return `${escaped}\n${eol ? "" : `${NO_NEWLINE}\n`}`;
}

type Directive = { readonly line: number; readonly head: string; readonly body: readonly string[] };

/** The change that an answer means for the requested file. */
export function readRegion(answer: string, request: Request): Result<Change> {
  const directives = readDirectives(answer);
  if (!directives.ok) return directives;
  const [first, ...rest] = directives.value;
  if (first === undefined) return failure("empty answer");
  if (first.head.startsWith("@create ")) return readCreate(first, rest, request);
  const { path, old } = request;
  if (old === null) return failure("there is no file to change");
  if (first.head === "@delete") {
    if (rest.length + first.body.length > 0) return failure("line 2: text behind @delete");
    return success({ path, old, new: null });
  }
  if (first.head.startsWith("@rename ")) return readRename(first, rest, { ...request, old });
  const text = replaceBlocks(directives.value, old);
  if (!text.ok) return text;
  return text.value === old ? failure("the answer changes nothing") : success({ path, old, new: text.value });
}

function readCreate(
  { head, body }: Directive,
  rest: readonly Directive[],
  { path, old }: Request,
): Result<Change> {
  const mode = head.slice("@create ".length);
  if (!FILE_MODES.includes(mode)) return failure("line 1: expected @create 100644 or @create 100755");
  if (old !== null) return failure("the file to create is already there");
  if (rest.length > 0) return failure(`line ${rest[0]!.line}: a directive behind @create`);
  return success({ path, old, new: body.join(""), mode });
}

function readRename(
  { head, body }: Directive,
  blocks: readonly Directive[],
  { path, old }: Request & { readonly old: string },
): Result<Change> {
  const to = unquotePath(head.slice("@rename ".length));
  if (!to.ok) return failure(`line 1: ${to.reason}`);
  if (!isSafePath(to.value)) return failure("line 1: an unsafe path");
  if (to.value === path) return failure("line 1: the new path is the old one");
  if (body.length > 0) return failure("line 2: expected a directive behind @rename");
  const text = replaceBlocks(blocks, old);
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

function replaceBlocks(blocks: readonly Directive[], old: string): Result<string> {
  const edits: Edit[] = [];
  for (const { line, head, body } of blocks) {
    const match = RANGE.exec(head);
    if (match === null) return failure(`line ${line}: expected @FIRST,COUNT`);
    if (Number(match[1]) === 0) return failure(`line ${line}: lines are counted from 1`);
    edits.push({ start: Number(match[1]) - 1, count: Number(match[2]), lines: body });
  }
  return replaceLines(old, edits);
}
