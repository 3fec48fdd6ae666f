// A curve in one line of a terminal: block characters over the range of the values, and the first and last in digits.

const BLOCKS = "▁▂▃▄▅▆▇█";

/** At most `width` blocks; each is the mean of its share of the values. */
export function drawCurve(values: readonly number[], width: number = 40): string {
  const columns = Math.min(width, values.length);
  const means = Array.from({ length: columns }, (_, i) =>
    meanOf(
      values.slice(
        Math.floor((i * values.length) / columns),
        Math.floor(((i + 1) * values.length) / columns),
      ),
    ),
  );
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const level = (value: number) => (high > low ? Math.round(((value - low) / (high - low)) * 7) : 0);
  return means.map((value) => BLOCKS[level(value)]).join("");
}

/** `2.310 ▇▅▃▂▁ 0.812`, or nothing for no values. */
export function describeCurve(values: readonly number[], width?: number): string {
  if (values.length === 0) return "";
  return `${values[0]!.toFixed(3)} ${drawCurve(values, width)} ${values.at(-1)!.toFixed(3)}`;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
