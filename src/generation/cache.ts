// Keys and values of a block that grow by a position at a time, [heads, capacity, d] each.

import { type Buffer, createBuffer } from "../runtime/device.ts";

export type KeyValue = { readonly key: Buffer; readonly value: Buffer };

/** The heads of an attention, and numbers of each. */
export type HeadSizes = { readonly heads: number; readonly d: number };

/** Room for `capacity` positions. */
export function emptyCache({ heads, d }: HeadSizes, capacity: number): KeyValue {
  const empty = () => createBuffer("float32", [heads, capacity, d], new Float32Array(heads * capacity * d));
  return { key: empty(), value: empty() };
}

/** Positions that a cache has room for. */
export function capacityOf({ key }: KeyValue): number {
  return key.shape[1]!;
}

/** Writes positions [heads, n, d] into a cache, the first of them at `at`. */
export function writeCache(cache: KeyValue, at: number, written: KeyValue): void {
  for (const part of ["key", "value"] as const) {
    const [heads, capacity, d] = cache[part].shape as [number, number, number];
    const count = written[part].shape[1]!;
    const [from, to] = [written[part].data as Float32Array, cache[part].data as Float32Array];
    for (let head = 0; head < heads; head++) {
      const rows = from.subarray(head * count * d, (head + 1) * count * d);
      to.set(rows, (head * capacity + at) * d);
    }
  }
}

/** The same with more room. */
export function grownCache(cache: KeyValue, capacity: number): KeyValue {
  const [heads, , d] = cache.key.shape as [number, number, number];
  const wider = emptyCache({ heads, d }, capacity);
  writeCache(wider, 0, cache);
  return wider;
}
