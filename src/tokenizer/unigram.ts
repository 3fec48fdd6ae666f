// Learns the pieces of a Unigram model and their log probabilities (Kudo, 2018): expectation and maximisation over all
// ways of cutting each word, then the pieces that the likelihood misses least are left out, until few enough are left.
// The steps and their constants are SentencePiece's (google/sentencepiece:src/unigram_model_trainer.cc), which weighs
// a word by its count. It does not know what the pieces will be used for.

import { PieceTrie } from "./piece-trie.ts";
import { seedPieces } from "./seeds.ts";
import type { Words } from "./words.ts";

export type ScoredPiece = { readonly points: readonly number[]; readonly score: number };

export type UnigramSettings = {
  /** Pieces to end with, at most. */
  readonly size: number;
  /** Letters that keep a piece of their own whatever happens; fewer than `size`. */
  readonly letters: ReadonlySet<number>;
};

const SUB_ITERATIONS = 2;
const SHRINKING = 0.75;
/** Training stops pruning this far above the size, and then takes the best. */
const SLACK = 1.1;
/** A piece expected less often than this is gone. */
const LEAST_EXPECTED = 0.5;
const SEEDS_PER_PIECE = 20;
const MOST_SEEDS = 1_000_000;

/** The best pieces first, ties by their letters. Every letter of the words can be written, or is left to the caller. */
export function learnPieces(words: Words, { size, letters }: UnigramSettings): ScoredPiece[] {
  const seeds = seedPieces(words, Math.min(MOST_SEEDS, size * SEEDS_PER_PIECE));
  const sum = seeds.reduce((total, seed) => total + seed.weight, 0);
  let pieces: ScoredPiece[] = seeds.map(({ points, weight }) => ({ points, score: Math.log(weight / sum) }));
  const wanted = Math.floor(size * SLACK);
  for (;;) {
    for (let i = 0; i < SUB_ITERATIONS; i++) pieces = maximise(pieces, expect(words, pieces));
    if (pieces.length <= wanted) break;
    const pruned = prune(words, pieces, Math.max(wanted, Math.floor(pieces.length * SHRINKING)));
    if (pruned.length === pieces.length) break;
    pieces = pruned;
  }
  return finish(pieces, { size, letters });
}

/** Expected occurrences of each piece, summed over all cuts of all words, each by its probability. */
function expect(words: Words, pieces: readonly ScoredPiece[]): Float64Array {
  const lattice = new Lattice(words, pieces);
  const expected = new Float64Array(pieces.length);
  for (let word = 0; word < words.counts.length; word++) lattice.addExpected(word, expected);
  return expected;
}

function maximise(pieces: readonly ScoredPiece[], expected: Float64Array): ScoredPiece[] {
  const kept = pieces.flatMap(({ points }, i) =>
    expected[i]! >= LEAST_EXPECTED ? [{ points, count: expected[i]! }] : [],
  );
  const logSum = digamma(kept.reduce((sum, { count }) => sum + count, 0));
  return kept.map(({ points, count }) => ({ points, score: digamma(count) - logSum }));
}

/** Leaves out the pieces without which the likelihood falls least; letters and what has no other cut stay. */
function prune(words: Words, pieces: readonly ScoredPiece[], size: number): ScoredPiece[] {
  const lattice = new Lattice(words, pieces);
  const used = new Float64Array(pieces.length);
  for (let word = 0; word < words.counts.length; word++) {
    for (const piece of lattice.bestCut(word)) used[piece]! += words.counts[word]!;
  }
  const sum = used.reduce((total, count) => total + count, 0);
  const kept: number[] = [];
  const candidates: { readonly index: number; readonly loss: number }[] = [];
  pieces.forEach(({ points }, index) => {
    const other = points.length === 1 ? undefined : lattice.cutWithout(index);
    if (other === undefined) kept.push(index);
    else if (used[index]! > 0) {
      candidates.push({ index, loss: lossOf(index, { other, used, sum }) });
    }
  });
  candidates.sort((a, b) => b.loss - a.loss || a.index - b.index);
  const chosen = candidates.slice(0, Math.max(0, size - kept.length)).map(({ index }) => index);
  return [...kept, ...chosen].sort((a, b) => a - b).map((index) => pieces[index]!);
}

type Usage = { readonly other: readonly number[]; readonly used: Float64Array; readonly sum: number };

/** How much log likelihood goes where every use of a piece becomes its other cut. */
function lossOf(index: number, { other, used, sum }: Usage): number {
  const count = used[index]!;
  const logSumAfter = Math.log(sum + count * (other.length - 1));
  const after = other.reduce((total, piece) => total + Math.log(used[piece]! + count) - logSumAfter, 0);
  return (count / sum) * (Math.log(count) - Math.log(sum) - after);
}

function finish(pieces: readonly ScoredPiece[], { size, letters }: UnigramSettings): ScoredPiece[] {
  const isLetter = ({ points }: ScoredPiece) => points.length === 1 && letters.has(points[0]!);
  const known = new Set(pieces.filter(isLetter).map(({ points }) => points[0]!));
  const lowest = pieces.reduce((least, { score }) => Math.min(least, score), 0);
  const missing = [...letters].filter((point) => !known.has(point)).sort((a, b) => a - b);
  const must = [
    ...pieces.filter(isLetter),
    ...missing.map((point, i) => ({ points: [point], score: lowest - 1e-4 * (i + 1) })),
  ];
  const rest = pieces.filter((piece) => !isLetter(piece)).sort(betterFirst);
  return [...must, ...rest.slice(0, Math.max(0, size - must.length))].sort(betterFirst);
}

function betterFirst(a: ScoredPiece, b: ScoredPiece): number {
  return b.score - a.score;
}

/** Ways of cutting words into pieces. A letter without a piece is a bridge that costs much and belongs to none. */
class Lattice {
  readonly #trie: PieceTrie;
  readonly #words: Words;
  readonly #pieces: readonly ScoredPiece[];
  readonly #scores: Float64Array;
  readonly #unknown: number;

  constructor(words: Words, pieces: readonly ScoredPiece[]) {
    this.#words = words;
    this.#pieces = pieces;
    this.#trie = new PieceTrie(pieces.map(({ points }) => points));
    this.#scores = Float64Array.from(pieces, ({ score }) => score);
    this.#unknown = this.#scores.reduce((least, score) => Math.min(least, score), 0) - 10;
  }

  /** Forward and backward over the cuts of a word. */
  addExpected(word: number, expected: Float64Array): void {
    const { points, starts, counts } = this.#words;
    const letters = points.subarray(starts[word], starts[word + 1]);
    const edges = this.#edges(letters, -1);
    const forward = new Float64Array(letters.length + 1).fill(-Infinity);
    const backward = new Float64Array(letters.length + 1).fill(-Infinity);
    forward[0] = 0;
    backward[letters.length] = 0;
    for (const { from, to, score } of edges) forward[to] = logAdd(forward[to]!, forward[from]! + score);
    for (let i = edges.length - 1; i >= 0; i--) {
      const { from, to, score } = edges[i]!;
      backward[from] = logAdd(backward[from]!, score + backward[to]!);
    }
    const whole = forward[letters.length]!;
    for (const { from, to, score, piece } of edges) {
      if (piece < 0) continue;
      expected[piece]! += counts[word]! * Math.exp(forward[from]! + score + backward[to]! - whole);
    }
  }

  /** The pieces of the best cut of a word. */
  bestCut(word: number): number[] {
    const { points, starts } = this.#words;
    return this.#best(points.subarray(starts[word], starts[word + 1]), -1).pieces;
  }

  /** The best cut of a piece that does not use itself; undefined where there is none. */
  cutWithout(piece: number): readonly number[] | undefined {
    const cut = this.#best(Uint32Array.from(this.#pieces[piece]!.points), piece);
    return cut.bridged ? undefined : cut.pieces;
  }

  #best(letters: Uint32Array, without: number): Cut {
    const best = new Float64Array(letters.length + 1).fill(-Infinity);
    const arrival: (Edge | undefined)[] = new Array(letters.length + 1).fill(undefined);
    best[0] = 0;
    for (const edge of this.#edges(letters, without)) {
      const score = best[edge.from]! + edge.score;
      if (score <= best[edge.to]!) continue;
      best[edge.to] = score;
      arrival[edge.to] = edge;
    }
    const pieces: number[] = [];
    let bridged = false;
    for (let at = letters.length; at > 0; ) {
      const edge = arrival[at]!;
      if (edge.piece >= 0) pieces.push(edge.piece);
      else bridged = true;
      at = edge.from;
    }
    return { pieces: pieces.reverse(), bridged };
  }

  /** In the order of where they begin. */
  #edges(letters: Uint32Array, without: number): Edge[] {
    const edges: Edge[] = [];
    for (let from = 0; from < letters.length; from++) {
      let hasLetter = false;
      for (let node = 0, to = from; to < letters.length; to++) {
        node = this.#trie.child(node, letters[to]!);
        if (node < 0) break;
        const piece = this.#trie.pieceAt(node);
        if (piece < 0 || piece === without) continue;
        edges.push({ from, to: to + 1, piece, score: this.#scores[piece]! });
        if (to === from) hasLetter = true;
      }
      if (!hasLetter) edges.push({ from, to: from + 1, piece: -1, score: this.#unknown });
    }
    return edges;
  }
}

type Edge = { readonly from: number; readonly to: number; readonly piece: number; readonly score: number };

type Cut = { readonly pieces: number[]; readonly bridged: boolean };

function logAdd(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low === -Infinity ? high : high + Math.log1p(Math.exp(low - high));
}

/** The logarithm's expectation under a Dirichlet prior: rare pieces weigh less (Abramowitz and Stegun, 6.3.18). */
function digamma(value: number): number {
  let x = value;
  let shift = 0;
  for (; x < 7; x++) shift -= 1 / x;
  const y = x - 0.5;
  const z = 1 / (y * y);
  const tail = z * (1 / 24 - z * (7 / 960 - z * (31 / 8064 - (z * 127) / 30720)));
  return shift + Math.log(y) + tail;
}
