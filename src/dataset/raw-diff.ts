// The raw diff format of 2022: message, path and content in, a git diff out. An answer that is not exact is mended
// where that needs no guess (`patch/repair`).

import { failure, type Result, success } from "../base/result.ts";
import { applyPatch } from "../patch/apply.ts";
import { changesMode, type Patch, pathBefore } from "../patch/hunk.ts";
import { parsePatch } from "../patch/parse.ts";
import { isSafePath } from "../patch/path.ts";
import { repairPatch } from "../patch/repair.ts";
import { messageLabel, NO_NEWLINE, pathLabel, type Request } from "./request.ts";

export function diffPrompt(request: Request): string {
  const old = request.old ?? "";
  const end = old === "" || old.endsWith("\n") ? "" : `\n${NO_NEWLINE}\n`;
  return `${messageLabel(request)}${pathLabel(request)}${old}${end}Diff:\n`;
}

/** The diff without its `index` line: nobody can foresee a hash. */
export function diffAnswer(patch: Patch, diff: string): Result<string> {
  if (patch.kind === "binary") return failure("binary");
  const at = diff.indexOf("\n@@ ");
  const header = at < 0 ? diff : diff.slice(0, at);
  const kept = header.split("\n").filter((line) => !line.startsWith("index "));
  return success(kept.join("\n") + diff.slice(header.length));
}

/** What an answer means: the patch, and the text that it makes of the file. */
export type DiffReading = { readonly patch: Patch; readonly text: string | null };

/** Reads an answer as it stands if it is exact, else mended. */
export function readDiff(answer: string, request: Request): Result<DiffReading> {
  const exact = readExact(answer, request);
  if (exact !== undefined) return exact;
  const patch = repairPatch(answer, request);
  if (!patch.ok) return patch;
  const text = applyPatch(patch.value, request.old);
  return text.ok ? success({ patch: patch.value, text: text.value }) : text;
}

/** `undefined` for an answer that needs mending. */
function readExact(answer: string, { path, old }: Request): Result<DiffReading> | undefined {
  const patches = parsePatch(answer);
  if (!patches.ok) return undefined;
  const [patch, ...rest] = patches.value;
  if (rest.length > 0) return failure("more than one file");
  if (patch === undefined || pathBefore(patch) !== path) return undefined;
  if (!isSafePath(patch.path)) return failure("an unsafe path");
  const text = applyPatch(patch, old);
  if (!text.ok) return undefined;
  const idle = patch.kind === "modify" && text.value === old && !changesMode(patch);
  return idle ? failure("the answer changes nothing") : success({ patch, text: text.value });
}
