// The distinct words of a text with their counts, in one array of code points.

export type Words = {
  readonly points: Uint32Array;
  /** Word `i` is `points[starts[i] … starts[i + 1])`. */
  readonly starts: Uint32Array;
  readonly counts: Float64Array;
};

/** Words in the order in which the map has them. */
export function packWords(counts: ReadonlyMap<string, number>): Words {
  const points: number[] = [];
  const starts = [0];
  for (const word of counts.keys()) {
    for (const letter of word) points.push(letter.codePointAt(0)!);
    starts.push(points.length);
  }
  return {
    points: Uint32Array.from(points),
    starts: Uint32Array.from(starts),
    counts: Float64Array.from(counts.values()),
  };
}
