// A thread that judges what it is sent, batch by batch; started by judging.ts.

import { parentPort } from "node:worker_threads";
import { createBatchJudge } from "./batch.ts";
import type { Answer, AskedCase, FilterSource, JudgeRequest } from "./request.ts";

type SentCase = Omit<AskedCase, "old" | "section"> & {
  readonly old: Uint8Array | null | "kept";
  readonly section: Uint8Array;
};

type SentRequest = Omit<JudgeRequest, "cases"> & { readonly cases: readonly SentCase[] };

// It starts before it is known by what rules to judge: they come first.
parentPort!.once("message", (source: FilterSource) => {
  const judgeBatch = createBatchJudge(source);
  parentPort!.on("message", (request: SentRequest) => answer(request, judgeBatch));
});

function answer({ cases, slab, out }: SentRequest, judgeBatch: ReturnType<typeof createBatchJudge>): void {
  const received = cases.map((one) => ({
    ...one,
    old: one.old instanceof Uint8Array ? asBuffer(one.old) : one.old,
    section: asBuffer(one.section),
  }));
  const batch: Answer = { ...judgeBatch({ cases: received, slab, out }), slab };
  parentPort!.postMessage(batch, [batch.lines.buffer as ArrayBuffer, slab]);
}

/** Buffers arrive as plain arrays of bytes. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
