// What is asked of the model: a message and one file as it is. Training and use make their prompts from this alone,
// so that both show the model the same text.

import { quotePath } from "../patch/path.ts";
import type { Example } from "./example.ts";

export type Request = {
  readonly message: string;
  readonly path: string;
  /** Content of the file; `null` where it is to be created. */
  readonly old: string | null;
};

export function requestOf({ message, path, old }: Example): Request {
  return { message, path, old };
}

/** What a last line without a newline is followed by, in prompts and in answers. */
export const NO_NEWLINE = "\\ No newline at end of file";

/** The message as prompts show it: a commit's message ends with a newline, one from a command line does not. */
export function messageLabel(request: Request): string {
  return `Message: ${request.message.trim()}\n`;
}

export function pathLabel(request: Request): string {
  return `${request.old === null ? "New file" : "File"}: ${quotePath(request.path)}\n`;
}
