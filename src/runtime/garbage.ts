// Collecting garbage at once. Arrays of a layer's weights are large and the objects that hold them small, so that left
// to itself a collection comes when hundreds of megabytes lie about, and memory once taken is seldom given back.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/** Frees what nothing refers to any more; a few milliseconds where few objects are alive. */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}
