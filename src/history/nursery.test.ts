// Whether a held nursery stays small when threads start beside it, which the heaps of threads would undo.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { getHeapSpaceStatistics } from "node:v8";
import { Worker } from "node:worker_threads";
import { holdHeap, holdNursery, startBesideNursery } from "./nursery.ts";

/** Bytes of this heap's nursery. */
function nursery(): number {
  return getHeapSpaceStatistics().find((one) => one.space_name === "new_space")!.space_size;
}

/** Makes much, of which a part lives through every sweep: a nursery that may grow does so. */
function work(): void {
  let living: object[] = [];
  for (let i = 0; i < 4_000_000; i++) {
    living.push({ i });
    if (living.length > 200_000) living = [];
  }
}

const THREAD = `
  const { parentPort } = require("node:worker_threads");
  const { getHeapSpaceStatistics } = require("node:v8");
  const living = [];
  for (let i = 0; i < 1_000_000; i++) living[i % 1000] = { i };
  parentPort.postMessage(getHeapSpaceStatistics().find((one) => one.space_name === "new_space").space_size);
`;

test("a nursery that is held does not grow, also not after a thread has started, whose own is large at once", async () => {
  const start = () => new Worker(THREAD, { eval: true, resourceLimits: { maxYoungGenerationSizeMb: 16 } });
  holdNursery();
  const before = nursery();
  const worker = startBesideNursery(start);
  const [size] = (await once(worker, "message")) as [number];
  await worker.terminate();
  work();
  assert.ok(nursery() <= Math.max(before, 5e6), `${before} bytes grew to ${nursery()}`);
  assert.ok(size > 10e6, `${size} bytes in the thread`);
});

/** The most bytes that the heap takes for what outlives the nursery, of which little lives on. */
function peak(): number {
  const living = Array.from({ length: 200_000 }, (_, i) => ({ i, list: [i] }));
  const passing: object[] = [];
  let most = 0;
  for (let i = 0; i < 6_000_000; i++) {
    passing[i % 20_000] = { i, list: [i] };
    if (i % 20_000 === 0) most = Math.max(most, process.memoryUsage().heapTotal);
  }
  assert.equal(living.length, 200_000);
  return most;
}

test("for many commits what is dead is not left to pile up", () => {
  holdNursery();
  const before = process.memoryUsage().heapTotal;
  holdHeap(10_000);
  const grown = peak() - before;
  assert.ok(grown < 60e6, `${grown} bytes`);
});
