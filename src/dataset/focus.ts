// Where a person would point at who wanted a given change: its lines, more or less. Only training points; it does so
// where the window rule alone does not show what is to change.

import { createRandom } from "../base/random.ts";
import type { Patch } from "../patch/hunk.ts";
import type { Example } from "./example.ts";
import type { Range } from "./window.ts";

/** Lines by which a pointed range begins too early or ends too late, at most; several ranges share them. */
const JITTER = 30;

/** The old lines of a patch's hunks, in order. */
export function changedRanges(patch: Patch): readonly Range[] {
  if (patch.kind === "binary" || patch.kind === "create") return [];
  return patch.hunks.map(({ oldStart, oldLines }) => {
    const start = oldLines === 0 ? oldStart : oldStart - 1;
    return { start, end: start + oldLines };
  });
}

/** The same, each too long on one side, so that changes are not always in the middle; the same example is always
 * pointed at in the same way. */
export function pointedRanges(patch: Patch, { commit, path }: Example): readonly Range[] {
  const random = createRandom(hash(`${commit}\0${path}`));
  const ranges = changedRanges(patch);
  const most = Math.floor(JITTER / Math.max(1, ranges.length));
  return ranges.map(({ start, end }) => {
    const by = random.below(2 * most + 1) - most;
    return by < 0 ? { start: Math.max(0, start + by), end } : { start, end: end + by };
  });
}

/** FNV-1a over UTF-16 code units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
