// The rows of a matrix whose rows are tokens, after its tokenizer was extended. Numbers only; which matrices of a model
// are such is for others to know.

import type { RowRecipe } from "./extend.ts";

/**
 * A copy of a matrix [rows, width] with at least `rows` rows: those that were there, and for each recipe the mean of
 * rows that were there. A row without a recipe stays, or is zero where there was none.
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
  for (const { id, from } of recipes) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (const row of from) sum += matrix[row * width + column]!;
      extended[id * width + column] = from.length === 0 ? 0 : sum / from.length;
    }
  }
  return extended;
}
