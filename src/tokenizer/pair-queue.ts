// Pairs of token ids, the most frequent first; among equals the one of lower ids. A binary heap that is told of
// rises; falls are noticed when a pair comes up.

export type Pair = readonly [left: number, right: number];

/** Ids stay below this, so that a pair is one exact number. */
export const ID_LIMIT = 2 ** 24;

export function pairKey(left: number, right: number): number {
  return left * ID_LIMIT + right;
}

export function pairOf(key: number): Pair {
  return [Math.floor(key / ID_LIMIT), key % ID_LIMIT];
}

type Entry = { readonly key: number; readonly count: number };

export class PairQueue {
  readonly #counts: ReadonlyMap<number, number>;
  readonly #heap: Entry[] = [];

  /** `counts` is the caller's and may change; call `push` for a key whose count rose. */
  constructor(counts: ReadonlyMap<number, number>) {
    this.#counts = counts;
    for (const key of counts.keys()) this.push(key);
  }

  push(key: number): void {
    const heap = this.#heap;
    heap.push({ key, count: this.#counts.get(key) ?? 0 });
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!comesBefore(heap[at]!, heap[parent]!)) break;
      swap(heap, at, parent);
      at = parent;
    }
  }

  /** The key with the highest count now, taken out; undefined when none is left. */
  pop(): Entry | undefined {
    for (;;) {
      const top = this.#take();
      if (top === undefined) return undefined;
      const count = this.#counts.get(top.key) ?? 0;
      if (count === top.count) return top;
      if (count > 0) this.push(top.key);
    }
  }

  #take(): Entry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    heap[0] = last;
    this.#sink();
    return top;
  }

  #sink(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      let first = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && comesBefore(heap[child]!, heap[first]!)) first = child;
      }
      if (first === at) return;
      swap(heap, at, first);
      at = first;
    }
  }
}

function comesBefore(a: Entry, b: Entry): boolean {
  return a.count === b.count ? a.key < b.key : a.count > b.count;
}

function swap(heap: Entry[], a: number, b: number): void {
  [heap[a], heap[b]] = [heap[b]!, heap[a]!];
}
