// What is asked of the model: a message and one file as it is. Training and use make their prompts from this alone,
// so that both show the model the same text.

import { quotePath } from "../patch/path.ts";
import type { Example } from "./example.ts";

/** One file and what is to become of it, in words. */
export type Request = {
  readonly message: string;
  readonly path: string;
  /** Content of the file; `null` where it is to be created. */
  readonly old: string | null;
};

/** The request that an example answers. */
export function requestOf({ message, path, old }: Example): Request {
  return { message, path, old };
}

/** What a last line without a newline is followed by, in prompts and in answers. */
export const NO_NEWLINE = "\\ No newline at end of file";

/** The message as prompts show it: one from a command line or a `.file` may have blank space around it. */
export function messageLabel(request: Request): string {
  return `Message: ${request.message.trim()}\n`;
}

/** The path as prompts show it, quoted as git quotes it; its first words say whether the file is there already. */
export function pathLabel(request: Request): string {
  return `${request.old === null ? "New file" : "File"}: ${quotePath(request.path)}\n`;
}
