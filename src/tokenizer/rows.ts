// The rows of a matrix whose rows are tokens, after its tokenizer was extended. Numbers only; which matrices of a model
// are such is for others to know.

import { createRandom } from "../base/random.ts";
import type { RowRecipe } from "./extend.ts";

/** Share of the matrix's own size that tells apart rows which would begin the same. */
const SPREAD = 0.25;

/**
 * A copy of a matrix [rows, width] with at least `rows` rows: those that were there, and for each recipe the mean of
 * rows that were there. Of recipes that are the same, such as the unknown token's for each letter, the first is the mean
 * itself, the others lie around it: a network whose embedding is not trained could not tell them apart. A row without a
 * recipe stays, or is zero where there was none.
 */
export function extendedRows(
  matrix: Float32Array,
  {
    width,
    rows,
    recipes,
  }: { readonly width: number; readonly rows: number; readonly recipes: readonly RowRecipe[] },
): Float32Array<ArrayBuffer> {
  const extended = new Float32Array(Math.max(rows * width, matrix.length));
  extended.set(matrix);
  const size = SPREAD * rootMeanSquare(matrix);
  const seen = new Set<string>();
  for (const { id, from } of recipes) {
    const spread = seen.has(from.join()) && width > 1 ? size : 0;
    const random = createRandom(id);
    seen.add(from.join());
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (const row of from) sum += matrix[row * width + column]!;
      extended[id * width + column] = sum / Math.max(1, from.length) + spread * random.normal();
    }
  }
  return extended;
}

function rootMeanSquare(matrix: Float32Array): number {
  let sum = 0;
  for (const value of matrix) sum += value * value;
  return Math.sqrt(sum / Math.max(1, matrix.length));
}
