// Layer numbers as people write them: single ones and ranges, `3`, `20-29`.

import { UsageError } from "../base/errors.ts";

/** The numbers meant, in order, each once. */
export function parseLayers(option: string, given: readonly string[]): number[] {
  const layers = given.flatMap((text) => text.split(",")).flatMap((text) => rangeOf(option, text.trim()));
  return [...new Set(layers)].sort((a, b) => a - b);
}

/** More layers than any model has would only fill memory. */
const MOST = 10_000;

function rangeOf(option: string, text: string): number[] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (!match || last < first || last > MOST) {
    throw new UsageError(
      `Expected layer numbers such as 3 or 20-29 for --${option}, found ${JSON.stringify(text)}`,
    );
  }
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
