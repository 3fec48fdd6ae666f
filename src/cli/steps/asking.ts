// What a person asks for on the command line, read into memory: files to change, perhaps with lines pointed at, and
// files to read beside them.

import { existsSync, statSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import { UsageError, UserError } from "../../base/errors.ts";
import type { Ask, AskedFile } from "../../dataset/pack.ts";
import { filesToChange, type Request } from "../../dataset/request.ts";
import type { Range } from "../../dataset/window.ts";
import { isSafePath } from "../../patch/path.ts";
import { splitLines } from "../../patch/text.ts";
import { readSource } from "../source.ts";
import { formatCount } from "../units.ts";

type Wish = {
  readonly message: string;
  /** `PATH`, `PATH:LINE` or `PATH:FIRST-LAST`, lines counted from 1. */
  readonly paths: readonly string[];
  readonly context: readonly string[];
  /** The repository, and the folder that paths are relative to. */
  readonly root: string;
  readonly cwd: string;
};

/** Reads the files. A path that is given twice is one file with two places pointed at. */
export function readAsk({ message, paths, context, root, cwd }: Wish): Ask {
  const change = new Map<string, AskedFile>();
  for (const text of paths) {
    const { name, range } = splitPlace(text, cwd);
    const file = readFile({ name, root, cwd });
    if (range !== undefined) requireLines(range, { ...file, text });
    const focus = [...(change.get(file.path)?.focus ?? []), ...(range === undefined ? [] : [range])];
    change.set(file.path, { ...file, focus: focus.sort((a, b) => a.start - b.start) });
  }
  const others = new Map<string, AskedFile>();
  for (const name of context) {
    const file = readFile({ name, root, cwd });
    if (file.old === null) {
      throw new UserError(`Expected a file to read at ${name}, found none; leave it out, or check the path`);
    }
    if (!change.has(file.path)) others.set(file.path, file);
  }
  return { message, change: [...change.values()], context: [...others.values()] };
}

const PLACE = /^(.+):(\d{1,9})(?:-(\d{1,9}))?$/s;

/** A file whose name ends like a place is that file. */
function splitPlace(text: string, cwd: string): { name: string; range?: Range } {
  const match = PLACE.exec(text);
  if (match === null || existsSync(resolve(cwd, text))) return { name: text };
  const first = Number(match[2]);
  const last = Number(match[3] ?? match[2]);
  if (first < 1 || last < first) {
    throw new UsageError(`Expected PATH:LINE or PATH:FIRST-LAST, lines counted from 1, found "${text}"`);
  }
  return { name: match[1]!, range: { start: first - 1, end: last } };
}

function requireLines({ end }: Range, { path, old, text }: AskedFile & { readonly text: string }): void {
  const count = splitLines(old ?? "").length;
  if (end <= count) return;
  throw new UserError(`Expected a line of ${path}, which has ${count}, found ${text}; point at another`);
}

function readFile({ name, root, cwd }: { name: string; root: string; cwd: string }): AskedFile {
  const path = resolve(cwd, name);
  const inside = relative(root, path).split(sep).join("/");
  if (inside === "" || !isSafePath(inside)) {
    throw new UserError(
      `Expected a file inside ${root}, found ${path}; run codefudge suggest in the file's repository`,
    );
  }
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return { path: inside, old: null, focus: [] };
  if (!found.isFile())
    throw new UserError(`Expected a file at ${path}, found something else; name files, one by one`);
  return { path: inside, old: readSource(path, found.size), focus: [] };
}

/** One line for each long file of a request: what of it the model is shown. */
export function describeWindows(request: Request): string[] {
  return filesToChange(request).flatMap(({ path, old, shown }) => {
    if (shown === "all") return [];
    const lines = shown.map(({ start, end }) => (end - start > 1 ? `${start + 1}-${end}` : `${end}`));
    const count = formatCount(splitLines(old ?? "").length);
    const seen = lines.length > 0 ? `lines ${lines.join(", ")}` : "no line";
    return [
      `${path} is too long to be shown whole: ${seen} of ${count}; ${path}:LINE points at another place`,
    ];
  });
}
