// A thread that judges what it is sent, batch by batch; started by judging.ts.

import { parentPort, workerData } from "node:worker_threads";
import { createFilter } from "../filters/filter.ts";
import type { Case } from "./judge.ts";
import { type Answer, createBatchJudge, type FilterSource, type JudgeRequest } from "./judging.ts";

type SentCase = Omit<Case, "old" | "section"> & {
  readonly old: Uint8Array | null;
  readonly section: Uint8Array;
};

type SentRequest = Omit<JudgeRequest, "cases"> & { readonly cases: readonly SentCase[] };

const { options, rules } = workerData as FilterSource;
const judgeBatch = createBatchJudge(createFilter(options, rules));

parentPort!.on("message", ({ cases, slab, out }: SentRequest) => {
  const received = cases.map((one) => ({
    ...one,
    old: one.old && asBuffer(one.old),
    section: asBuffer(one.section),
  }));
  const answer: Answer = { ...judgeBatch({ cases: received, slab, out }), slab };
  parentPort!.postMessage(answer, [answer.lines.buffer as ArrayBuffer, slab]);
});

/** Buffers arrive as plain arrays of bytes. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
