// Lists of what programs are given, the very same list as long as it would hold the same buffers: so a device sees at once
// that it has looked a list through before. A block is given some ninety buffers, sixty times a step.

import type { Buffers, Executable } from "../runtime/device.ts";

/** So many buffers of a record are compared one by one; larger records are the same only as one object. */
const FEW = 4;

type Records = Readonly<Record<"feeds" | "into", readonly Buffers[]>>;

/** Owns the last list of each place; none where buffers must go as soon as they have served, as weights read anew do. */
export class SameLists {
  readonly #holds: boolean;
  #shape: object | null = null;
  readonly #lists = new Map<string, readonly Buffers[]>();

  constructor(holds: boolean = true) {
    this.#holds = holds;
  }

  /** The records as a list; that of the last call for this place if nothing in it has changed. */
  of(place: string, records: readonly Buffers[]): readonly Buffers[] {
    const last = this.#lists.get(place);
    if (last?.length === records.length && records.every((record, i) => isSame(record, last[i]!)))
      return last;
    if (this.#holds) this.#lists.set(place, records);
    return records;
  }

  /** Runs a program with the records as such lists. */
  run(program: Executable, place: string, { feeds, into }: Records): Promise<Buffers> {
    return program.run(this.of(`${place}, feeds`, feeds), this.of(`${place}, into`, into));
  }

  /** Forgets what programs of another shape were given: this one may replace those buffers. */
  begin(shape: object): void {
    if (this.#shape !== shape) this.#lists.clear();
    this.#shape = shape;
  }

  clear(): void {
    this.#lists.clear();
  }
}

function isSame(a: Buffers, b: Buffers): boolean {
  if (a === b) return true;
  const names = Object.keys(a);
  return names.length <= FEW && names.length === Object.keys(b).length && names.every((n) => a[n] === b[n]);
}
