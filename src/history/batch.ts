// Judges a batch of cases and puts the lines of its examples one after another. All that judging needs is loaded with
// this file, which a reader whose threads judge never loads.

import { fingerprintOf } from "../dataset/fingerprint.ts";
import { createLineBuffer } from "../dataset/line-buffer.ts";
import { createFilter } from "../filters/filter.ts";
import { type Case, judge } from "./judge.ts";
import { createKept, type KeptContents } from "./kept.ts";
import type { AskedCase, FilterSource, Judged, JudgeRequest, KeepingBatch } from "./request.ts";

/** Judges batches in this thread. */
export function createBatchJudge({
  options,
  rules,
  keeps,
}: FilterSource): (request: JudgeRequest) => KeepingBatch {
  const filter = createFilter(options, rules);
  const buffer = createLineBuffer();
  const kept = keeps ? createKept(options.max_file_bytes) : undefined;
  const judgeOne = (asked: AskedCase): Judged => {
    const one = withOld(asked, kept);
    if (one === undefined) return "lost";
    const outcome = judge(one, filter);
    const judged =
      "drop" in outcome
        ? { drop: outcome.drop }
        : {
            size: buffer.add(outcome.example, outcome.texts),
            print: fingerprintOf(outcome.example, outcome.texts.diff),
          };
    // Last: it may take the place of the old one.
    if (one.newOid !== null && outcome.after instanceof Buffer) kept?.keep(one.newOid, outcome.after);
    return judged;
  };
  return ({ cases, out }) => {
    const outcomes = cases.map(judgeOne);
    const taken = buffer.take();
    const lines = new Uint8Array(
      taken.length <= out.byteLength ? out : new ArrayBuffer(taken.length),
      0,
      taken.length,
    );
    lines.set(taken);
    return { lines, outcomes, gone: kept?.takeGone() ?? [] };
  };
}

/** What is kept was proved when it was a new content. */
function withOld(one: AskedCase, kept: KeptContents | undefined): Case | undefined {
  const isProved = one.old === "kept";
  const old = one.old === "kept" ? kept?.get(one.oldOid) : one.old;
  return old === undefined ? undefined : { ...one, old, isProved };
}
