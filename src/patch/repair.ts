// Mends a diff that a model wrote for one known file: numbers and headers may be wrong or absent, so lines are
// counted anew and each hunk's old text is looked for in the file. It never guesses: text that is not there, or
// is there more than once, is refused with a reason.

import { failure, type Result, success } from "../base/result.ts";
import { createPatch } from "./create.ts";
import { showLine } from "./cursor.ts";
import type { Patch } from "./hunk.ts";
import { isNoNewline } from "./lines.ts";
import { isSafePath, unquotePath } from "./path.ts";
import { type Edit, replaceLines, splitLines } from "./text.ts";

/** The file that the diff is for; `old` is `null` where it is to be created. */
export type Target = { readonly path: string; readonly old: string | null };

/** A hunk as written: the old lines it claims, and the edits as runs over those lines. */
type Draft = {
  readonly line: number;
  readonly stated: number | undefined;
  readonly old: string[];
  readonly new: DraftLine[];
};

/** `from` is the index of the old line that a context line keeps. */
type DraftLine = { readonly text: string; readonly from?: number; readonly eol: boolean };

type Intent = { readonly deletes: boolean; readonly creates: boolean; readonly renamed: string | undefined };

/** The patch that a diff means for the file, computed anew from the texts before and after. */
export function repairPatch(text: string, target: Target): Result<Patch> {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const first = lines.findIndex((line) => line.startsWith("@@"));
  const start = first >= 0 ? first : firstEdit(lines);
  const intent = readIntent(lines.slice(0, start));
  if (!intent.ok) return intent;
  const drafts = readDrafts(lines, start);
  return drafts.ok ? build(drafts.value, intent.value, target) : drafts;
}

/** Without any `@@` line, the hunk starts at the first line that can only be part of one. */
function firstEdit(lines: readonly string[]): number {
  const at = lines.findIndex(
    (line) => /^[+-](?!\+\+ |-- )/.test(line) || /^[+-]$/.test(line) || line[0] === " ",
  );
  return at < 0 ? lines.length : at;
}

function readIntent(header: readonly string[]): Result<Intent> {
  if (header.filter((line) => line.startsWith("diff --git ")).length > 1)
    return failure("more than one file");
  const textAfter = (label: string) => header.find((line) => line.startsWith(label))?.slice(label.length);
  const to = textAfter("rename to ");
  const renamed = to === undefined ? success(undefined) : unquotePath(to);
  if (!renamed.ok) return renamed;
  if (renamed.value !== undefined && !isSafePath(renamed.value)) return failure("an unsafe path");
  const creates = textAfter("new file mode ") !== undefined || header.includes("--- /dev/null");
  const deletes = textAfter("deleted file mode ") !== undefined || header.includes("+++ /dev/null");
  return success({ creates, deletes, renamed: renamed.value });
}

function readDrafts(lines: readonly string[], start: number): Result<readonly Draft[]> {
  const drafts: Draft[] = [];
  for (let at = start; at < lines.length; at++) {
    const line = lines[at]!;
    if (line.startsWith("@@") || drafts.length === 0) drafts.push(openDraft(line, at));
    // The file itself knows whether its old last line has a newline; only an added line needs the marker.
    if (line.startsWith("@@") || isNoNewline(line)) continue;
    if (!readDraftLine(drafts.at(-1)!, line, !isNoNewline(lines[at + 1]))) {
      return failure(
        `line ${at + 1}: expected a line that starts with a space, + or -, found ${showLine(line)}`,
      );
    }
  }
  return success(drafts);
}

function openDraft(line: string, at: number): Draft {
  const match = /^@@ -(\d{1,9})(?:,(\d{1,9}))?/.exec(line);
  const stated = match === null ? undefined : Number(match[1]) - (match[2] === "0" ? 0 : 1);
  return { line: at + 1, stated, old: [], new: [] };
}

/** Adds one line to a hunk; false for a line that belongs to none. */
function readDraftLine(draft: Draft, line: string, eol: boolean): boolean {
  const text = line.slice(1);
  const sign = line[0] ?? " ";
  if (sign === "+") draft.new.push({ text, eol });
  if (sign === " ") draft.new.push({ text, from: draft.old.length, eol });
  if (sign === "-" || sign === " ") draft.old.push(text);
  return sign === "+" || sign === "-" || sign === " ";
}

function build(drafts: readonly Draft[], intent: Intent, target: Target): Result<Patch> {
  const { path, old } = target;
  const { creates, deletes, renamed } = intent;
  if (drafts.length === 0 && !creates && !deletes && renamed === undefined) return failure("no hunk found");
  if (old === null && drafts.some((draft) => draft.old.length > 0))
    return failure("there is no old text to change");
  if (old === null && (deletes || renamed !== undefined)) return failure("there is no file yet");
  if (old !== null && creates) return failure("the file to create is already there");
  const places = locateAll(drafts, splitLines(old ?? ""));
  if (!places.ok) return places;
  const edits = drafts.flatMap((draft, index) => editsOf(draft, places.value[index]!));
  if (edits.some(hasOpenLine)) return failure("an added line without a newline is not the last of the file");
  const text = replaceLines(old ?? "", edits);
  if (!text.ok) return text;
  if (deletes) {
    return text.value === ""
      ? success(createPatch({ path, old, new: null }))
      : failure("lines are left to delete");
  }
  const moves = renamed !== undefined && renamed !== path;
  if (text.value === old && !moves) return failure("the answer changes nothing");
  const names = moves ? { path: renamed, from: path } : { path };
  return success(createPatch({ ...names, old, new: text.value }));
}

function locateAll(drafts: readonly Draft[], oldLines: readonly string[]): Result<readonly number[]> {
  const texts = oldLines.map((line) => (line.endsWith("\n") ? line.slice(0, -1) : line));
  const places: number[] = [];
  let cursor = 0;
  for (const draft of drafts) {
    const place = locate(draft, texts, cursor);
    if (!place.ok) return failure(`the hunk at line ${draft.line} ${place.reason}`);
    places.push(place.value);
    cursor = place.value + draft.old.length;
  }
  return success(places);
}

function locate(draft: Draft, texts: readonly string[], cursor: number): Result<number> {
  const { stated, old } = draft;
  const fits = (at: number) =>
    at + old.length <= texts.length && old.every((line, i) => texts[at + i] === line);
  if (stated !== undefined && stated >= cursor && fits(stated)) return success(stated);
  if (old.length === 0) {
    return texts.length === 0 ? success(0) : failure("has no old lines and no place that the file has");
  }
  let place = -1;
  for (let at = cursor; at + old.length <= texts.length; at++) {
    if (!fits(at)) continue;
    if (place >= 0) return failure(`is ambiguous: its old text stands at lines ${place + 1} and ${at + 1}`);
    place = at;
  }
  return place < 0 ? failure("has old text that the file does not have there or later") : success(place);
}

/** True for a line without a newline above another of the same edit. */
function hasOpenLine({ lines }: Edit): boolean {
  return lines.slice(0, -1).some((line) => !line.endsWith("\n"));
}

/** The runs of a hunk that change something, as edits of the lines from `place` on. */
function editsOf(draft: Draft, place: number): Edit[] {
  const edits: Edit[] = [];
  let done = 0;
  let lines: string[] = [];
  const close = (end: number) => {
    if (end > done || lines.length > 0) edits.push({ start: place + done, count: end - done, lines });
    lines = [];
  };
  for (const { text, from, eol } of draft.new) {
    if (from === undefined) {
      lines.push(eol ? `${text}\n` : text);
    } else {
      close(from);
      done = from + 1;
    }
  }
  close(draft.old.length);
  return edits;
}
