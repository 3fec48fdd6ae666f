// Packs files into requests of a bounded number of tokens, by one rule for training and for use, which docs/formats.md
// states. Pure: what texts cost is learnt before and asked for here.

import type { OptionTable } from "../base/options.ts";
import { splitLines } from "../patch/text.ts";
import type { Format } from "./format.ts";
import type { Measure } from "./measure.ts";
import { NO_NEWLINE, pathLabel, type Request, type RequestFile } from "./request.ts";
import { chooseWindow, type Range, termsOf } from "./window.ts";

/** Options of packing; a run keeps them, so that use packs as its training did. */
export const packOptions = {
  max_files: {
    type: "integer",
    default: 4,
    help: "Files of one commit that an example changes together, at most",
    value: "N",
    least: 1,
  },
} as const satisfies OptionTable;

/** A file that is to be changed or read, and the lines that were pointed at. */
export type AskedFile = {
  readonly path: string;
  readonly old: string | null;
  readonly focus: readonly Range[];
};

/** What is asked for, before it is known what fits. */
export type Ask = {
  readonly message: string;
  readonly change: readonly AskedFile[];
  /** Files to read that were named; the other files to change are read beside them. */
  readonly context: readonly AskedFile[];
};

/** Tokens of prompt and answer together, at most, and of each alone where that was said. */
export type Lengths = {
  readonly max_length: number;
  readonly max_in_len?: number | null | undefined;
  readonly max_out_len?: number | null | undefined;
};

/** Tokens of the prompt: three quarters when nothing else was said, whatever the answer will be. */
export function promptRoom({ max_length, max_in_len, max_out_len }: Lengths): number {
  if (typeof max_in_len === "number") return Math.min(max_in_len, max_length);
  const share = typeof max_out_len === "number" ? Math.max(max_length / 4, max_length - max_out_len) : 0;
  return Math.floor(share || (max_length * 3) / 4);
}

/** Fewer tokens of a file than this are not worth its name. */
const LEAST_CONTEXT = 32;

/** What follows a last line without a newline. */
const OPEN_END = `\n${NO_NEWLINE}\n`;

/** All texts whose costs a packer asks for. */
export function* textsToLearn({ message, change, context }: Ask, format: Format): Generator<string> {
  yield format.prompt({ message, files: [] });
  yield format.gap;
  yield OPEN_END;
  for (const file of [...change, ...context]) {
    for (const role of ["change", "context"] as const) yield pathLabel({ ...file, role });
    for (const [i, line] of splitLines(file.old ?? "").entries()) {
      yield line;
      yield format.gutter(i);
    }
  }
}

/** Packs what is asked for; files to change go by their places in `change`. */
export type Packer = {
  /** Which files share a request: each file is in one group, in order. */
  groups(limits: { readonly room: number; readonly max_files: number }): readonly (readonly number[])[];
  /** The request that changes these files; only of one file is a window made. `focus` takes the place of its own. */
  build(
    members: readonly number[],
    how: { readonly room: number; readonly focus?: readonly Range[] },
  ): Request;
};

/** The texts of the ask must have been learnt. `room` is always that of a whole prompt, in tokens. */
export function createPacker(ask: Ask, format: Format, measure: Measure): Packer {
  const { message } = ask;
  const terms = new Set(termsOf(message));
  const files = ask.change.map((file) => sizeOf(file, format, measure));
  const named = ask.context.map((file) => sizeOf(file, format, measure));
  const frame = measure.cost(format.prompt({ message, files: [] }));
  const wanted = named.reduce((sum, { lines, labels }) => sum + lines + labels.context, 0);
  /** What is left for the files to change: context that was named has up to a quarter. */
  const roomToChange = (room: number) => room - frame - Math.min(Math.floor((room - frame) / 4), wanted);
  return {
    groups: ({ room, max_files }) => groupFiles(files, { room: roomToChange(room), max_files }),
    build: (members, { room, focus }) => {
      const own = members.map((i) => {
        const file = focus === undefined ? files[i]! : { ...files[i]!, file: { ...files[i]!.file, focus } };
        return fill(file, "change", { room: roomToChange(room), terms, measure });
      });
      const left = room - frame - own.reduce((sum, { cost }) => sum + cost, 0);
      const context = fillContext([...named, ...files], own, { room: left, terms, measure });
      return { message, files: [...context, ...own.map(({ file }) => file)] };
    },
  };
}

/** A file and what it costs: its lines all together, and the line with its name. */
type Sized = {
  readonly file: AskedFile;
  readonly texts: readonly string[];
  readonly costs: Int32Array;
  readonly lines: number;
  readonly labels: Readonly<Record<RequestFile["role"], number>>;
  readonly gap: number;
};

function sizeOf(file: AskedFile, format: Format, measure: Measure): Sized {
  const texts = splitLines(file.old ?? "");
  const costs = Int32Array.from(texts, (line, i) => measure.cost(line) + measure.cost(format.gutter(i)));
  if (texts.at(-1)?.endsWith("\n") === false) costs[texts.length - 1]! += measure.cost(OPEN_END);
  const label = (role: RequestFile["role"]) => measure.cost(pathLabel({ ...file, role }));
  return {
    file,
    texts,
    costs,
    lines: costs.reduce((sum, cost) => sum + cost, 0),
    labels: { change: label("change"), context: label("context") },
    gap: measure.cost(format.gap),
  };
}

/** Files that fit whole share a request, in order, while there is room; one that does not stands alone. */
function groupFiles(
  files: readonly Sized[],
  limits: { readonly room: number; readonly max_files: number },
): readonly (readonly number[])[] {
  const groups: number[][] = [];
  let open: number[] = [];
  let left = 0;
  for (const [i, { file, lines, labels }] of files.entries()) {
    const whole = lines + labels.change;
    const alone = whole > limits.room;
    const known = open.some((member) => files[member]!.file.path === file.path);
    if (!alone && !known && whole <= left && open.length < limits.max_files) {
      open.push(i);
      left -= whole;
      continue;
    }
    const group = [i];
    groups.push(group);
    if (alone) continue;
    open = group;
    left = limits.room - whole;
  }
  return groups;
}

type Filling = { readonly room: number; readonly terms: ReadonlySet<string>; readonly measure: Measure };
type Filled = { readonly file: RequestFile; readonly cost: number };

/** A file whole if there is room for it, else its window. */
function fill(sized: Sized, role: RequestFile["role"], { room, terms, measure }: Filling): Filled {
  const { path, old, focus } = sized.file;
  const whole = sized.lines + sized.labels[role];
  if (whole <= room) return { file: { path, old, role, shown: "all" }, cost: whole };
  const shown = chooseWindow({
    lines: sized.texts,
    costs: sized.costs,
    gapCost: sized.gap,
    room: room - sized.labels[role],
    terms,
    termsOfLine: measure.terms,
    focus,
  });
  return { file: { path, old, role, shown }, cost: room };
}

/** Others beside the files to change, as long as there is room. */
function fillContext(
  candidates: readonly Sized[],
  own: readonly Filled[],
  filling: Filling,
): readonly RequestFile[] {
  const taken = new Set(own.map(({ file }) => file.path));
  const context: RequestFile[] = [];
  let { room } = filling;
  for (const candidate of candidates) {
    const { path, old } = candidate.file;
    const least = Math.min(candidate.lines, LEAST_CONTEXT) + candidate.labels.context;
    if (old === null || taken.has(path) || room < least) continue;
    const { file, cost } = fill(candidate, "context", { ...filling, room });
    if (file.shown !== "all" && file.shown.length === 0) continue;
    taken.add(path);
    context.push(file);
    room -= cost;
  }
  return context;
}
