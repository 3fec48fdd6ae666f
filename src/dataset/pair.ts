// The `.file` form of 2022: message, `<pad>path<pad>`, an empty line, content (xloem/codefudge: hist.bash). It
// carries no sign for a file that does not exist yet: an empty content is one that is to be created.

import { failure, type Result, success } from "../base/result.ts";

const DELIMITER = "<pad>";

/** A message and the one file to change; `null` is a file to create. */
export type Pair = { readonly message: string; readonly path: string; readonly old: string | null };

/** What a `.file` text stands for. */
export function parsePair(text: string): Result<Pair> {
  const start = text.indexOf(DELIMITER);
  const end = start < 0 ? -1 : text.indexOf(`${DELIMITER}\n`, start + DELIMITER.length);
  if (end < 0) return failure(`no line ${DELIMITER}PATH${DELIMITER} after the message`);
  const path = text.slice(start + DELIMITER.length, end);
  if (path === "" || path.includes("\n")) return failure(`no path between ${DELIMITER} and ${DELIMITER}`);
  const rest = text.slice(end + DELIMITER.length + 1);
  const content = rest.startsWith("\n") ? rest.slice(1) : rest;
  return success({ message: text.slice(0, start), path, old: content === "" ? null : content });
}
