// Prints a patch as a git diff that `git apply` takes (git-diff, "Generating patch text with -p"). There is no
// `index` line: the hashes it names are git's business, and `git apply` does without.

import { type Hunk, type Line, type Patch, pathBefore } from "./hunk.ts";
import { quotePath } from "./path.ts";

const SIGNS: Readonly<Record<Line["kind"], string>> = { context: " ", delete: "-", add: "+" };

/** The diff of one file, starting with `diff --git`. */
export function printPatch(patch: Patch): string {
  const from = pathBefore(patch);
  const head = [
    `diff --git ${quotePath(`a/${from}`)} ${quotePath(`b/${patch.path}`)}`,
    ...extendedLines(patch),
  ];
  if (patch.kind === "binary") {
    return joined([
      ...head,
      `Binary files ${quotePath(`a/${from}`)} and ${quotePath(`b/${patch.path}`)} differ`,
    ]);
  }
  if (patch.hunks.length > 0) {
    head.push(`--- ${patch.kind === "create" ? "/dev/null" : sideName(`a/${from}`)}`);
    head.push(`+++ ${patch.kind === "delete" ? "/dev/null" : sideName(`b/${patch.path}`)}`);
  }
  return joined(head) + patch.hunks.map(printHunk).join("");
}

function extendedLines(patch: Patch): string[] {
  switch (patch.kind) {
    case "binary":
      return [];
    case "create":
      return [`new file mode ${patch.mode}`];
    case "delete":
      return [`deleted file mode ${patch.mode}`];
    case "modify":
      return modeLines(patch);
    case "rename":
    case "copy":
      return [
        ...modeLines(patch),
        `${patch.kind} from ${quotePath(patch.from)}`,
        `${patch.kind} to ${quotePath(patch.path)}`,
      ];
  }
}

function modeLines(patch: { readonly oldMode?: string; readonly newMode?: string }): string[] {
  const changes =
    patch.oldMode !== undefined && patch.newMode !== undefined && patch.oldMode !== patch.newMode;
  return changes ? [`old mode ${patch.oldMode}`, `new mode ${patch.newMode}`] : [];
}

/** A name with spaces gets a tab behind it, so that other tools see where it ends. */
function sideName(name: string): string {
  return quotePath(name) + (name.includes(" ") ? "\t" : "");
}

function printHunk(hunk: Hunk): string {
  const range = (start: number, length: number) => (length === 1 ? `${start}` : `${start},${length}`);
  const head = `@@ -${range(hunk.oldStart, hunk.oldLines)} +${range(hunk.newStart, hunk.newLines)} @@\n`;
  return head + hunk.lines.map(printLine).join("");
}

function printLine({ kind, text, eol }: Line): string {
  return `${SIGNS[kind]}${text}\n${eol ? "" : "\\ No newline at end of file\n"}`;
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
