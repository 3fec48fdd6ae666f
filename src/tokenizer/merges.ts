// The merges of a BPE model that names only its pieces, as SentencePiece's do: every way of putting a piece together
// from two others, in the order in which transformers numbers them (transformers:src/transformers/
// tokenization_utils_base.py, generate_merges).

import { UserError } from "../base/errors.ts";

export type Merge = readonly [left: string, right: string];

/** Comparisons of halves, at most; a vocabulary of 256,000 ordinary pieces needs some ten million. */
const MOST_WORK = 500_000_000;

/**
 * The merges of `pieces`, which stand in the order of their ids. With `scores` those of the best-scored pieces come
 * first, and of two for one piece the one with the longer left half; without, those of the lowest ids and the shorter.
 */
export function mergesOf(pieces: readonly string[], scores?: readonly number[]): Merge[] {
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const sign = scores === undefined ? 1 : -1;
  const found: Found[] = [];
  let work = 0;
  for (const [piece, id] of ids) {
    const letters = Array.from(piece);
    work += letters.length * piece.length;
    if (work > MOST_WORK) {
      throw new UserError(
        "Expected the pieces of a tokenizer, found some of thousands of letters: the file is damaged, get it again",
      );
    }
    found.push(...halvings(letters, ids, sign * (scores?.[id] ?? id)));
  }
  // Stable, as Python's sort is, also in reverse.
  found.sort((a, b) => a.rank - b.rank || sign * (a.left - b.left) || sign * (a.right - b.right));
  return found.map(({ merge }) => merge);
}

/** Lengths in code points. */
type Found = {
  readonly merge: Merge;
  readonly rank: number;
  readonly left: number;
  readonly right: number;
};

function halvings(letters: readonly string[], ids: ReadonlyMap<string, number>, rank: number): Found[] {
  const found: Found[] = [];
  let head = "";
  const whole = letters.join("");
  for (let left = 1; left < letters.length; left++) {
    head += letters[left - 1]!;
    const tail = whole.slice(head.length);
    if (ids.has(head) && ids.has(tail)) {
      found.push({ merge: [head, tail], rank, left, right: letters.length - left });
    }
  }
  const id = (piece: string) => ids.get(piece)!;
  return found.sort((a, b) => id(a.merge[0]) - id(b.merge[0]) || id(a.merge[1]) - id(b.merge[1]));
}
