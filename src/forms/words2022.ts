// The words that both forms of 2022 are made of (xloem/codefudge: hist.bash, hist2json.py): the message as git's
// `%s%n%b` has it, the path between delimiters, the diff without its `index` line. Knows no files.

import { quotePath, unquotePath } from "../patch/path.ts";

export const DELIMITER = "<pad>";

/** What a label ends with: delimiter, and the end of a sequence of T5. */
export const LABEL_END = `${DELIMITER}</s>`;

/** Subject and body without the empty line between them; the last line ends with a newline (git: pretty.c). */
export function joinMessage(message: string): string {
  const lines = message.split("\n");
  const start = Math.max(0, lines.findIndex(isText));
  const blank = lines.findIndex((line, i) => i >= start && !isText(line));
  const end = blank < 0 ? lines.length : blank;
  const subject = lines.slice(start, end).map(trimEnd).join(" ");
  const rest = lines.slice(end);
  const body = rest.slice(Math.max(0, rest.findIndex(isText)));
  return body.some(isText) ? `${subject}\n${body.join("\n")}\n` : `${subject}\n`;
}

/** A message as a dataset has it, from the form above. A subject of several lines stays the one line it became. */
export function splitMessage(text: string): string {
  const at = text.indexOf("\n");
  const subject = at < 0 ? text : text.slice(0, at);
  const body = at < 0 ? "" : text.slice(at + 1).replace(/\n+$/, "");
  return body === "" ? subject : `${subject}\n\n${body}`;
}

function isText(line: string): boolean {
  return trimEnd(line) !== "";
}

/** Blank space as git counts it. */
function trimEnd(line: string): string {
  return line.replace(/[ \t\r]+$/, "");
}

/** The path as both forms show it: plain where that can be read back, else as git quotes it. */
export function joinPath(path: string): string {
  return path.includes("\n") || path.startsWith('"') ? quotePath(path) : path;
}

export function splitPath(text: string): string {
  const path = unquotePath(text);
  return path.ok ? path.value : text;
}

/** A `.file`: what the model of 2022 read. An empty content also stands for a file that is to be created. */
export function joinFile(message: string, path: string, old: string | null): string {
  return `${joinMessage(message)}${joinPart(path, old)}`;
}

/** The same without message and first delimiter, as one file of a commit stands behind another. */
export function joinPart(path: string, old: string | null): string {
  return `${DELIMITER}${joinPath(path)}${DELIMITER}\n\n${old ?? ""}`;
}

export type FileText = { readonly message: string; readonly path: string; readonly rest: string };

/** Message, path as it stands, and what stands behind it: the content, and in lines of JSON the other files. */
export function splitFile(text: string): FileText | undefined {
  const start = text.indexOf(DELIMITER);
  const end = start < 0 ? -1 : text.indexOf(`${DELIMITER}\n`, start + DELIMITER.length);
  if (end < 0) return undefined;
  const path = text.slice(start + DELIMITER.length, end);
  if (path === "" || path.includes("\n")) return undefined;
  return {
    message: text.slice(0, start),
    path,
    rest: text.slice(end + DELIMITER.length + 1).replace(/^\n/, ""),
  };
}

/** Why a message or a path cannot stand in these forms. */
export function holdsDelimiter(message: string, path: string): boolean {
  return message.includes(DELIMITER) || path.includes(DELIMITER);
}

/** A diff without the `index` line of its header: nobody can foresee a hash. */
export function withoutIndex(diff: string): string {
  const at = diff.indexOf("\n@@ ");
  const head = at < 0 ? diff : diff.slice(0, at);
  const kept = head.split("\n").filter((line) => !line.startsWith("index "));
  return kept.join("\n") + diff.slice(head.length);
}
