// Sums a processor profile by the parts of reading a history: what a function took itself counts for the file of ours
// that it stands in, or that called into the library it stands in. Knows file names only.

import type { Profiler } from "node:inspector";

/** The first pattern that fits the path of a file gives its part. */
const PARTS: readonly (readonly [part: string, file: RegExp])[] = [
  ["parsing the log", /history\/(parser|log|change)\./],
  ["old contents", /history\/(blobs|contents)\./],
  ["order", /history\/order\./],
  ["journal", /history\/(journal|blocks|entry|resume|refill)\./],
  ["round trip", /(patch\/|dataset\/(roundtrip|format|region|raw-diff|request|window|pack))/],
  ["filters", /(filters\/|history\/reasons)/],
  ["division", /dataset\/(split|near|known|hash|fingerprint)\./],
  ["writing lines", /(dataset\/(store|line-buffer)|base\/files)\./],
  ["other reading", /history\//],
];

const OUTSIDE: ReadonlyMap<string, string> = new Map([
  ["(idle)", "waiting for git"],
  ["(garbage collector)", "garbage collection"],
]);

/** Seconds of each part, largest first. */
export function sumParts(profile: Profiler.Profile): Record<string, number> {
  const parents = new Map(
    profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])),
  );
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const partOf = (id: number | undefined): string => {
    const node = id === undefined ? undefined : nodes.get(id);
    if (node === undefined) return "node itself";
    const { url, functionName } = node.callFrame;
    const known = OUTSIDE.get(functionName) ?? PARTS.find(([, file]) => file.test(url))?.[0];
    return known ?? partOf(parents.get(node.id));
  };
  const sums: Record<string, number> = {};
  for (const [i, sample] of (profile.samples ?? []).entries()) {
    const part = partOf(sample);
    sums[part] = (sums[part] ?? 0) + (profile.timeDeltas?.[i] ?? 0) / 1e6;
  }
  const sorted = Object.entries(sums).sort(([, a], [, b]) => b - a);
  return Object.fromEntries(sorted.map(([part, seconds]) => [part, Number(seconds.toFixed(3))]));
}
