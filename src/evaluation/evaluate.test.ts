// What a held-out request is worth: exact only with every file, limits of answers, and measuring that goes on where
// it stopped.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Example } from "../dataset/example.ts";
import type { Packed } from "../dataset/fitting.ts";
import { formats } from "../dataset/format.ts";
import { proveAnswer, type Writer } from "../generation/suggest.ts";
import { createPatch } from "../patch/create.ts";
import { printPatch } from "../patch/print.ts";
import { packBatches } from "../training/batch.ts";
import type { Network } from "../training/network.ts";
import { answerLimit, judge, measureLikelihood, measureWriting, type Written } from "./evaluate.ts";

function exampleOf(path: string, old: string, to: string): Example {
  const diff = printPatch(createPatch({ path, old, new: to }));
  return { message: "m", path, old, diff, commit: "c", parent: null, time: 0, author: "A", weight: 1 };
}

const EXAMPLES = [exampleOf("a", "one\ntwo\n", "one\n2\n"), exampleOf("b", "x\n", "y\n")];
const PACKED: Packed = {
  examples: EXAMPLES,
  request: {
    message: "m",
    files: EXAMPLES.map(({ path, old }) => ({ path, old, role: "change", shown: "all" })),
  },
};

function judged(text: string): Written {
  const answer = { text, ended: true, promptTokens: 1, tokens: text.length, seconds: 0 };
  const change = proveAnswer(formats.region, text, PACKED.request);
  return judge(PACKED, formats.region, { answer, change });
}

const EXACT = "@file a\n@2,1\n2\n@file b\n@1,1\ny\n";

test("exact is every file of the commit, in whatever words", () => {
  const exact = judged(EXACT);
  assert.deepEqual([exact.parsed, exact.applied, exact.exact], [true, true, true]);
  assert.deepEqual(
    [exact.paths, exact.edit_similarity, exact.rouge1, exact.rougeLsum],
    [["a", "b"], 1, 1, 1],
  );
  assert.equal(exact.diff, EXAMPLES.map(({ diff }) => diff).join(""));
  const other = judged("@file b\n@1,1\ny\n@file a\n@1,2\none\n2\n");
  assert.deepEqual([other.exact, other.edit_similarity < 1], [true, true]);
});

test("one file of two is not exact, nor is another text", () => {
  for (const text of ["@file a\n@2,1\n2\n", EXACT.replace("\ny\n", "\nz\n")]) {
    const { applied, exact, rouge1 } = judged(text);
    assert.deepEqual([applied, exact], [true, false]);
    assert.ok(rouge1 > 0.3 && rouge1 < 1);
  }
});

test("what is no answer is compared as it stands", () => {
  const { parsed, applied, exact, diff, reason, rouge1 } = judged("diff --git a/a b/a\n");
  assert.deepEqual([parsed, applied, exact, diff], [false, false, false, null]);
  assert.match(reason!, /^line 1: /);
  assert.ok(rouge1 > 0 && rouge1 < 0.5);
});

test("an answer may have three times its tokens, 64 at least, and never more than was asked for", () => {
  const rendered = (answer: number) => ({
    ids: new Int32Array(100 + answer),
    promptLength: 100,
    answerBytes: 1,
    weight: 1,
  });
  assert.equal(answerLimit(rendered(10), 256), 64);
  assert.equal(answerLimit(rendered(50), 256), 150);
  assert.equal(answerLimit(rendered(200), 256), 256);
  assert.equal(answerLimit(rendered(10), 32), 32);
});

const HELD = [30, 10, 20].map((length) => ({
  packed: PACKED,
  rendered: { ids: new Int32Array(length), promptLength: length - 4, answerBytes: 8, weight: 1 },
}));

/** An engine for which an answer costs as many nats as its sequence has ids. */
function fakeEngine(asked: number[]): Network {
  const evaluate = async ({ extent, owners }: { extent: { length: number }; owners: readonly number[] }) => {
    asked.push(extent.length);
    return owners.map(() => extent.length / owners.length);
  };
  return { evaluate, pack: packBatches } as unknown as Network;
}

test("likelihoods go on from what is known, short ones first, and stop between two", async () => {
  const asked: number[] = [];
  const stop = new AbortController();
  const known = new Map<number, number>();
  const first = measureLikelihood(() => fakeEngine(asked), HELD, { known, signal: stop.signal });
  const figure = await first.next();
  assert.deepEqual(figure.value, { index: 1, value: 32 });
  stop.abort();
  await assert.rejects(first.next(), /abort/i);
  const signal = new AbortController().signal;
  known.set(1, 16);
  const rest = measureLikelihood(() => fakeEngine(asked), HELD, { known, signal });
  const seen: number[] = [];
  for (;;) {
    const next = await rest.next();
    if (!next.done) {
      seen.push(next.value.index);
      continue;
    }
    assert.deepEqual(seen, [2, 0]);
    assert.deepEqual([next.value.answers, next.value.log_likelihood], [3, -80 / 3]);
    return;
  }
});

test("nothing is asked of the writer when everything is known", async () => {
  const written = judged(EXACT);
  const known = new Map([0, 1, 2].map((index) => [index, written]));
  const writer = (): Writer => assert.fail("asked for a writer");
  const events = measureWriting(writer, HELD, { known, signal: AbortSignal.abort() });
  const { done, value } = await events.next();
  assert.equal(done, true);
  assert.ok(done && "exact" in value && typeof value.exact === "object" && value.exact.mean === 1);
});
