// How V8 sizes its heaps while a history is read. What is read dies young: a nursery that does not grow is swept more
// often and takes up to 40 MB less, in about the same time. Knows nothing of what is read. The flags are V8's
// (flags/flag-definitions.h), and hold for the whole process: only a command, to which it belongs, may set them.

import { setFlagsFromString } from "node:v8";
import type { Worker } from "node:worker_threads";

const HELD = "--semi-space-growth-factor=1";
// What outlives the nursery and is dead waits until the heap has grown by this part, which V8 lets be up to threefold.
const SLOW = "--heap-growing-percent=60";
// Of fewer commits so little is kept that the rest has room, and the hundredths of the time that it costs are spared.
const MANY_COMMITS = 10_000;
// A thread that judges holds texts for as long as it takes to judge them, and does best with room for some.
const THREAD_MB = 8;

let held = false;

/** From here on the nursery of this process does not grow. */
export function holdNursery(): void {
  held = true;
  setFlagsFromString(HELD);
}

/** Beside a held nursery, the rest of the heap grows slowly while so many commits are read: some 60 MB less for 40,000. */
export function holdHeap(commits: number): void {
  if (held && commits >= MANY_COMMITS) setFlagsFromString(SLOW);
}

/**
 * Starts a thread beside a held nursery. V8 lets nurseries grow again whenever it makes a new heap (ConfigureHeap in
 * heap/heap.cc), so they are held anew once that has happened; the thread's own begins as large as it may become.
 */
export function startBesideNursery(start: () => Worker): Worker {
  if (!held) return start();
  setFlagsFromString(`--min-semi-space-size=${THREAD_MB}`);
  return start().once("online", () => {
    setFlagsFromString("--min-semi-space-size=0");
    setFlagsFromString(HELD);
  });
}
