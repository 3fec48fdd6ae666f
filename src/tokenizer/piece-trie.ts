// Pieces as a tree of code points, for finding all pieces that begin at a place of a word. Numbers only, in an open
// hash table: training asks it some hundred million times.

const CODE_POINTS = 0x110000;
const EMPTY = -1;

export class PieceTrie {
  #keys = new Float64Array(1 << 16).fill(EMPTY);
  #values = new Int32Array(1 << 16);
  #nodes = 1;
  /** Piece that ends at a node, or -1. */
  #pieces: number[] = [-1];

  constructor(pieces: Iterable<readonly number[]>) {
    let index = 0;
    for (const points of pieces) {
      let node = 0;
      for (const point of points) node = this.#ensure(node, point);
      this.#pieces[node] = index++;
    }
  }

  /** The node that follows `node` by a code point, or -1; the root is 0. */
  child(node: number, point: number): number {
    const slot = this.#slot(node * CODE_POINTS + point);
    return this.#keys[slot] === EMPTY ? -1 : this.#values[slot]!;
  }

  /** Place of the piece that ends at a node in the order given, or -1. */
  pieceAt(node: number): number {
    return this.#pieces[node]!;
  }

  #ensure(node: number, point: number): number {
    const known = this.child(node, point);
    if (known >= 0) return known;
    if (this.#nodes * 2 > this.#keys.length) this.#grow();
    const slot = this.#slot(node * CODE_POINTS + point);
    this.#keys[slot] = node * CODE_POINTS + point;
    this.#values[slot] = this.#nodes;
    this.#pieces.push(-1);
    return this.#nodes++;
  }

  /** Where a key is, or would be. */
  #slot(key: number): number {
    const mask = this.#keys.length - 1;
    const low = key >>> 0;
    const high = (key / 0x1_0000_0000) >>> 0;
    let slot = (Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b) >>> 9) & mask;
    while (this.#keys[slot] !== EMPTY && this.#keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [keys, values] = [this.#keys, this.#values];
    this.#keys = new Float64Array(keys.length * 2).fill(EMPTY);
    this.#values = new Int32Array(keys.length * 2);
    keys.forEach((key, i) => {
      if (key === EMPTY) return;
      const slot = this.#slot(key);
      this.#keys[slot] = key;
      this.#values[slot] = values[i]!;
    });
  }
}
