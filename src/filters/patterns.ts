// Patterns of .gitignore against paths, written out by git's rules (gitignore(5); git's wildmatch.c for a single
// pattern). Not a regular expression: a repository brings its own patterns, and no pattern may take more than the
// product of its length and the path's. Paths are git's, with `/`. A backslash before a slash fits nothing here.

type Token =
  | { readonly kind: "one"; readonly fits: (character: string) => boolean }
  | { readonly kind: "star" };

/** One name of a path, or any number of names. */
type Segment = readonly Token[] | "**";

/** One line of a pattern file. */
export type Pattern = {
  readonly negated: boolean;
  /** Written with a slash at its end: fits folders only. */
  readonly folder: boolean;
  readonly segments: readonly Segment[];
};

/** The pattern of a line; `undefined` for an empty line, a comment, or a pattern that fits nothing. */
export function parsePattern(line: string): Pattern | undefined {
  let text = stripEnd(line.replace(/\r$/, ""));
  if (text === "" || text.startsWith("#")) return undefined;
  const negated = text.startsWith("!");
  if (negated) text = text.slice(1);
  const folder = text.endsWith("/");
  if (folder) text = text.slice(0, -1);
  const anchored = text.includes("/");
  const names = text.replace(/^\//, "").split("/");
  const segments = names.flatMap((name, at) =>
    // At the end `**` is everything inside: one name or more.
    name === "**" && at === names.length - 1 ? [[ANY, STAR], "**" as const] : [parseSegment(name)],
  );
  if (text === "" || !segments.every((segment) => segment !== undefined)) return undefined;
  return { negated, folder, segments: anchored ? segments : ["**", ...segments] };
}

/** Spaces at the end do not count unless a backslash stands before them. */
function stripEnd(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === " " && !isEscaped(line, end - 1)) end--;
  return line.slice(0, end);
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text[at - 1 - slashes] === "\\") slashes++;
  return slashes % 2 === 1;
}

const ANY: Token = { kind: "one", fits: () => true };
const STAR: Token = { kind: "star" };

function parseSegment(name: string): Segment | undefined {
  if (name === "**") return "**";
  const tokens: Token[] = [];
  const characters = [...name];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === "*") {
      if (tokens.at(-1)?.kind !== "star") tokens.push(STAR);
    } else if (character === "?") tokens.push(ANY);
    else if (character === "[") {
      const end = closingBracket(characters, at);
      if (end < 0) return undefined;
      tokens.push(parseClass(characters.slice(at + 1, end)));
      at = end;
    } else {
      if (character === "\\") at++;
      const wanted = characters[at];
      if (wanted === undefined) return undefined;
      tokens.push({ kind: "one", fits: (found) => found === wanted });
    }
  }
  return tokens;
}

function closingBracket(characters: readonly string[], open: number): number {
  let at = open + 1;
  if (characters[at] === "!" || characters[at] === "^") at++;
  if (characters[at] === "]") at++;
  for (; at < characters.length; at++) {
    if (characters[at] === "\\") at++;
    else if (characters[at] === "[" && characters[at + 1] === ":") {
      const end = characters.indexOf(":", at + 2);
      if (end > 0 && characters[end + 1] === "]") at = end + 1;
    } else if (characters[at] === "]") return at;
  }
  return -1;
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[a-z0-9]/i,
  alpha: /[a-z]/i,
  blank: /[ \t]/,
  digit: /[0-9]/,
  lower: /[a-z]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /\s/,
  upper: /[A-Z]/,
  xdigit: /[0-9a-f]/i,
};

function parseClass(body: readonly string[]): Token {
  const negated = body[0] === "!" || body[0] === "^";
  const tests: ((character: string) => boolean)[] = [];
  for (let at = negated ? 1 : 0; at < body.length; at++) {
    if (body[at] === "[" && body[at + 1] === ":") {
      const end = body.indexOf(":", at + 2);
      const named = CLASSES[body.slice(at + 2, end).join("")];
      if (end > 0 && body[end + 1] === "]") {
        tests.push((found) => named?.test(found) ?? false);
        at = end + 1;
        continue;
      }
    }
    if (body[at] === "\\") at++;
    const low = body[at] ?? "\\";
    let high = low;
    if (body[at + 1] === "-" && at + 2 < body.length) {
      at += body[at + 2] === "\\" ? 3 : 2;
      high = body[at] ?? "\\";
    }
    tests.push((found) => found >= low && found <= high);
  }
  return { kind: "one", fits: (found) => tests.some((test) => test(found)) !== negated };
}

/** True when the whole name fits, by the one star that is still open: going back further finds nothing new. */
function fitsName(tokens: readonly Token[], name: readonly string[]): boolean {
  let [token, at, star, mark] = [0, 0, -1, 0];
  while (at < name.length) {
    const next = tokens[token];
    if (next?.kind === "star") {
      star = token++;
      mark = at;
    } else if (next?.fits(name[at]!)) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++mark;
    } else return false;
  }
  while (tokens[token]?.kind === "star") token++;
  return token === tokens.length;
}

type Names = readonly (readonly string[])[];

/** The same one level up: `**` is the star, a name the character. */
function fitsNames(segments: readonly Segment[], names: Names): boolean {
  let [segment, at, star, mark] = [0, 0, -1, 0];
  while (at < names.length) {
    const next = segments[segment];
    if (next === "**") {
      star = segment++;
      mark = at;
    } else if (next !== undefined && fitsName(next, names[at]!)) {
      segment++;
      at++;
    } else if (star >= 0) {
      segment = star + 1;
      at = ++mark;
    } else return false;
  }
  while (segments[segment] === "**") segment++;
  return segment === segments.length;
}

/** True when the pattern fits this path itself, whatever it says of the folders above it. */
export function fitsPath(pattern: Pattern, path: string): boolean {
  return !pattern.folder && fitsNames(pattern.segments, namesOf(path));
}

function namesOf(path: string): Names {
  return path.split("/").map((name) => [...name]);
}

/**
 * Whether the lines of a pattern file name a path: the last line that fits decides, and what is below a named folder
 * is named with it. Paths are of files.
 */
export function createMatcher(lines: readonly string[]): (path: string) => boolean {
  const patterns = lines.flatMap((line) => parsePattern(line) ?? []).reverse();
  if (patterns.length === 0) return () => false;
  return (path) => {
    const names = namesOf(path);
    for (let depth = 1; depth <= names.length; depth++) {
      const part = names.slice(0, depth);
      const isFolder = depth < names.length;
      const decisive = patterns.find(
        (pattern) => (isFolder || !pattern.folder) && fitsNames(pattern.segments, part),
      );
      if (decisive !== undefined && !decisive.negated) return true;
    }
    return false;
  };
}
