// What is asked of the model: a message, the files to change and others beside them, each as far as it is shown.
// Training and use make their prompts from this alone, so that both show the model the same text.

import { quotePath } from "../patch/path.ts";
import type { Example } from "./example.ts";
import type { Range } from "./window.ts";

/** A file of a request. */
export type RequestFile = {
  readonly path: string;
  /** Its content; `null` where it is to be created. */
  readonly old: string | null;
  /** `context` is only read. */
  readonly role: "change" | "context";
  /** The lines that the prompt shows, in order, hidden lines between them. */
  readonly shown: "all" | readonly Range[];
};

/** Files and what is to become of those to change, in words. */
export type Request = { readonly message: string; readonly files: readonly RequestFile[] };

/** The request that an example answers when its file is shown whole. */
export function requestOf({ message, path, old }: Example): Request {
  return { message, files: [{ path, old, role: "change", shown: "all" }] };
}

/** The files that the answer is about. */
export function filesToChange({ files }: Request): readonly RequestFile[] {
  return files.filter((file) => file.role === "change");
}

/** Whether an answer may replace `count` lines from line `start` on (counted from 0), or put some in front of it. */
export function isShown({ shown }: RequestFile, start: number, count: number): boolean {
  return shown === "all" || shown.some((range) => range.start <= start && start + count <= range.end);
}

/** Why an example's change cannot be answered: the prompt does not show its lines. */
export const OUTSIDE = "outside the window";

/** What a last line without a newline is followed by, in prompts and in answers. */
export const NO_NEWLINE = "\\ No newline at end of file";

/** The message as prompts show it: one from a command line or a `.file` may have blank space around it. */
export function messageLabel(request: Request): string {
  return `Message: ${request.message.trim()}\n`;
}

/** The path as prompts show it, quoted as git quotes it; its first words say what the file is there for. */
export function pathLabel({ path, old, role }: Pick<RequestFile, "path" | "old" | "role">): string {
  const word = role === "context" ? "Context" : old === null ? "New file" : "File";
  return `${word}: ${quotePath(path)}\n`;
}
