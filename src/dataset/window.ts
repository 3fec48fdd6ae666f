// Chooses the lines of a file that a prompt shows when the whole does not fit: what was pointed at, then what shares
// rare words with the message, then the file's first lines and the headings around, then more of the surroundings. One
// pure rule for training and use; it knows lines, their cost in tokens and words, and no change that is to come.

/** Lines from `start` up to but not including `end`, counted from 0. */
export type Range = { readonly start: number; readonly end: number };

/** A file of which a part is to be chosen. */
export type WindowTask = {
  readonly lines: readonly string[];
  /** Tokens of each line as the prompt shows it. */
  readonly costs: ArrayLike<number>;
  /** Tokens of what stands for a run of lines that are not shown. */
  readonly gapCost: number;
  /** Tokens that may be spent. */
  readonly room: number;
  /** Words of the message, from `termsOf`. */
  readonly terms: ReadonlySet<string>;
  /** Words of a line; as `termsOf`, perhaps remembered. */
  readonly termsOfLine: (line: string) => readonly string[];
  /** Lines that were pointed at, in order. */
  readonly focus: readonly Range[];
};

/** Lines on each side of what was pointed at. */
const NEAR = 5;
/** Lines on each side of a line that shares words with the message. */
const AROUND = 5;
/** The file's first lines, which say what it is. */
const HEAD = 5;

/** The ranges to show, in order, with hidden lines between them; they cost at most the room. */
export function chooseWindow(task: WindowTask): readonly Range[] {
  const { lines, focus } = task;
  const showing = createShowing(task);
  const pointed = focus.map(({ start, end }) => clip({ start, end: Math.max(end, start + 1) }, lines.length));
  // All of them before the surroundings of any.
  for (const range of pointed) showing.add(range);
  for (const range of pointed) showing.add(widen(range, NEAR, lines.length));
  for (const line of rankLines(task)) {
    showing.add(widen({ start: line, end: line + 1 }, AROUND, lines.length));
  }
  const pieces = showing.ranges();
  showing.add(clip({ start: 0, end: HEAD }, lines.length));
  for (const { start } of pieces) {
    for (const heading of headingsAbove(lines, start)) showing.add({ start: heading, end: heading + 1 });
  }
  grow(showing, pieces.length > 0 ? pieces : showing.ranges(), lines.length);
  return showing.ranges();
}

type Showing = {
  /** Shows a range if there is room for all of it. */
  add(range: Range): boolean;
  ranges(): readonly Range[];
};

function createShowing({ lines, costs, gapCost, room }: WindowTask): Showing {
  const shown = new Uint8Array(lines.length);
  let spent = lines.length > 0 ? gapCost : 0;
  const costOf = ({ start, end }: Range) => {
    let cost = 0;
    // Runs of hidden lines are counted as they are split, shortened and closed.
    for (let i = start; i < end; i++) {
      if (shown[i] === 1) continue;
      const hiddenAbove = i > start ? false : i > 0 && shown[i - 1] === 0;
      const hiddenBelow = i + 1 < lines.length && shown[i + 1] === 0;
      cost += costs[i]! + gapCost * (Number(hiddenAbove) + Number(hiddenBelow) - 1);
    }
    return cost;
  };
  return {
    add: (range) => {
      const cost = costOf(range);
      if (spent + cost > room) return false;
      spent += cost;
      shown.fill(1, range.start, range.end);
      return true;
    },
    ranges: () => rangesOf(shown),
  };
}

function rangesOf(shown: Uint8Array): readonly Range[] {
  const ranges: Range[] = [];
  for (let start = shown.indexOf(1); start >= 0; ) {
    const hidden = shown.indexOf(0, start);
    const end = hidden < 0 ? shown.length : hidden;
    ranges.push({ start, end });
    start = shown.indexOf(1, end);
  }
  return ranges;
}

function clip({ start, end }: Range, length: number): Range {
  const first = Math.min(Math.max(0, start), Math.max(0, length - 1));
  return { start: first, end: Math.min(Math.max(first, end), length) };
}

function widen({ start, end }: Range, by: number, length: number): Range {
  return { start: Math.max(0, start - by), end: Math.min(length, end + by) };
}

/** The lines that share words with the message, best surroundings first; of equal ones the earlier. */
function rankLines({ lines, terms, termsOfLine }: WindowTask): readonly number[] {
  if (terms.size === 0) return [];
  const found = new Map<number, readonly string[]>();
  const counts = new Map<string, number>();
  lines.forEach((line, i) => {
    const shared = termsOfLine(line).filter((term) => terms.has(term));
    if (shared.length === 0) return;
    found.set(i, shared);
    for (const term of shared) counts.set(term, (counts.get(term) ?? 0) + 1);
  });
  const rarity = new Map([...counts].map(([term, count]) => [term, Math.log(1 + lines.length / count)]));
  const scores = new Map([...found.keys()].map((line) => [line, scoreAround(line, found, rarity)]));
  return [...found.keys()].sort((a, b) => scores.get(b)! - scores.get(a)! || a - b);
}

/** The rarity of all words found around a line, each counted once, and half of its own again. */
function scoreAround(
  line: number,
  found: ReadonlyMap<number, readonly string[]>,
  rarity: ReadonlyMap<string, number>,
): number {
  const around = new Set<string>();
  for (let i = line - AROUND; i <= line + AROUND; i++)
    for (const term of found.get(i) ?? []) around.add(term);
  let score = 0;
  for (const term of around) score += rarity.get(term)!;
  for (const term of found.get(line)!) score += rarity.get(term)! / 2;
  return score;
}

/** The lines above that enclose a line, by indentation, innermost first. */
function headingsAbove(lines: readonly string[], line: number): readonly number[] {
  const headings: number[] = [];
  let depth = indentOf(lines[line] ?? "") ?? Number.POSITIVE_INFINITY;
  for (let i = line - 1; i >= 0 && depth > 0; i--) {
    const indent = indentOf(lines[i]!);
    if (indent === undefined || indent >= depth) continue;
    headings.push(i);
    depth = indent;
  }
  return headings;
}

/** Blank characters in front; `undefined` for a blank line. */
function indentOf(line: string): number | undefined {
  const at = line.search(/\S/);
  return at < 0 ? undefined : at;
}

/** Adds a line above and one below each piece in turn, for as long as one fits. */
function grow(showing: Showing, pieces: readonly Range[], length: number): void {
  const ends = pieces.flatMap(({ start, end }) => [
    { at: start - 1, step: -1 },
    { at: end, step: 1 },
  ]);
  while (ends.length > 0) {
    for (let i = 0; i < ends.length; ) {
      const end = ends[i]!;
      const inside = end.at >= 0 && end.at < length;
      if (inside && showing.add({ start: end.at, end: end.at + 1 })) {
        end.at += end.step;
        i++;
      } else ends.splice(i, 1);
    }
  }
}

const WORD = /[\p{L}_$][\p{L}\p{N}_$]*|\p{N}{3,}/gu;
const PART = /\p{Lu}+(?!\p{Ll})|\p{Lu}?[^\p{Lu}\p{N}_$]+|\p{N}+/gu;

/** Words of every message that say nothing of a place. */
const STOP = new Set(
  (
    "the and for with from into that this when not are was were has have had its but all any can will use used using " +
    "add adds added adding fix fixes fixed fixing remove removes removed update updates updated change changes changed " +
    "make makes made new now more some only also instead should does too out off via per in on of to by as at an is it " +
    "be or if no do so up"
  ).split(" "),
);

/** The words of a text in lower case, each once: identifiers, and their parts (`sendFile` is also `send`, `file`). */
export function termsOf(text: string): readonly string[] {
  const terms = new Set<string>();
  for (const [word] of text.matchAll(WORD)) {
    terms.add(word.toLowerCase());
    for (const [part] of word.matchAll(PART)) terms.add(part.toLowerCase());
  }
  return [...terms].filter((term) => term.length > 1 && !STOP.has(term));
}
