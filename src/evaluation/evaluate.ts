// Measures one arm (the base, or the trained model) on held-out examples: what the answers cost, and what the model
// writes when asked. Same examples and format for every arm make them comparable; that is the caller's part.

import type { Example } from "../dataset/example.ts";
import type { FittingExample } from "../dataset/fitting.ts";
import { type Format, patchOf } from "../dataset/format.ts";
import { requestOf } from "../dataset/request.ts";
import { type Suggestion, suggest, type Writer } from "../generation/suggest.ts";
import { applyPatch } from "../patch/apply.ts";
import type { Patch } from "../patch/hunk.ts";
import type { Engine } from "../training/engine.ts";
import { sequenceLosses } from "../training/loss.ts";
import { bitsPerByte, editSimilarity, type Interval, type Measured, meanWithBootstrap } from "./metrics.ts";
import { rouge, rougeLsum } from "./rouge.ts";

export type Likelihood = {
  readonly answers: number;
  readonly bytes: number;
  readonly bits_per_byte: Interval;
  /** Mean log-likelihood of a whole answer, in nats: the figure that compares answer formats. */
  readonly log_likelihood: number;
};

/** What became of one request. */
export type Written = {
  readonly commit: string;
  readonly path: string;
  readonly message: string;
  readonly answer: string;
  readonly reason: string | null;
  readonly diff: string | null;
  readonly parsed: boolean;
  readonly applied: boolean;
  readonly exact: boolean;
  readonly edit_similarity: number;
  readonly rouge1: number;
  readonly rouge2: number;
  readonly rougeL: number;
  readonly rougeLsum: number;
  readonly tokens: number;
  readonly seconds: number;
};

export type Generated = {
  readonly requests: number;
  readonly parsed: number;
  readonly applied: number;
  readonly exact: Interval;
  readonly edit_similarity: number;
  readonly rouge1: number;
  readonly rouge2: number;
  readonly rougeL: number;
  readonly rougeLsum: number;
  readonly tokens: number;
  readonly seconds: number;
};

/** As the summarization script of 2022 counted. */
const STEMMED = { useStemmer: true };

const BOOTSTRAP = { seed: 1, samples: 1000 };

/** Likelihood of the held-out answers under an engine's weights. */
export async function measureLikelihood(
  engine: Engine,
  heldOut: readonly FittingExample[],
  signal: AbortSignal,
): Promise<Likelihood> {
  const losses = await sequenceLosses(
    engine,
    heldOut.map((item) => item.rendered),
    signal,
  );
  const values = heldOut.map(({ example, rendered }, i): Measured => {
    const bytes = Math.max(1, rendered.answerBytes);
    return { commit: example.commit, value: bitsPerByte(losses[i]!, bytes), weight: bytes };
  });
  const total = losses.reduce((sum, loss) => sum + loss, 0);
  return {
    answers: heldOut.length,
    bytes: heldOut.reduce((sum, item) => sum + item.rendered.answerBytes, 0),
    bits_per_byte: meanWithBootstrap(values, BOOTSTRAP),
    log_likelihood: -total / heldOut.length,
  };
}

/** Asks for each example's change in turn, yields what became of it, and returns the shares and means of all. */
export async function* measureWriting(
  writer: Writer,
  examples: readonly Example[],
): AsyncGenerator<Written, Generated> {
  const written: Written[] = [];
  for (const example of examples) {
    const judged = judge(example, writer.format, await suggest(writer, requestOf(example)));
    written.push(judged);
    yield judged;
  }
  return summarize(written);
}

/** Compares one suggestion with what the commit really did. */
export function judge(example: Example, format: Format, { answer, change }: Suggestion): Written {
  const wanted = format.answer(example);
  const reference = wanted.ok ? wanted.value : "";
  const scores = rouge(reference, answer.text, STEMMED);
  return {
    commit: example.commit,
    path: example.path,
    message: example.message,
    answer: answer.text,
    reason: change.ok ? null : change.reason,
    diff: change.ok ? change.value.diff : null,
    parsed: answer.ended && format.read(answer.text, requestOf(example)).ok,
    applied: change.ok,
    exact: change.ok && isSame(example, change.value),
    edit_similarity: editSimilarity(reference, answer.text),
    rouge1: scores.rouge1.f,
    rouge2: scores.rouge2.f,
    rougeL: scores.rougeL.f,
    rougeLsum: rougeLsum(reference, answer.text, STEMMED).f,
    tokens: answer.tokens,
    seconds: answer.seconds,
  };
}

/** Exact is the resulting file, and its name where that changes; two diffs may differ and still mean the same. */
function isSame(example: Example, change: { readonly patch: Patch; readonly after: string | null }): boolean {
  const patch = patchOf(example);
  if (!patch.ok) return false;
  const after = applyPatch(patch.value, example.old);
  return after.ok && after.value === change.after && patch.value.path === change.patch.path;
}

function summarize(written: readonly Written[]): Generated {
  const mean = (value: (item: Written) => number) =>
    written.reduce((sum, item) => sum + value(item), 0) / Math.max(1, written.length);
  return {
    requests: written.length,
    parsed: mean((item) => Number(item.parsed)),
    applied: mean((item) => Number(item.applied)),
    exact: meanWithBootstrap(
      written.map((item) => ({ commit: item.commit, value: Number(item.exact) })),
      BOOTSTRAP,
    ),
    edit_similarity: mean((item) => item.edit_similarity),
    rouge1: mean((item) => item.rouge1),
    rouge2: mean((item) => item.rouge2),
    rougeL: mean((item) => item.rougeL),
    rougeLsum: mean((item) => item.rougeLsum),
    tokens: mean((item) => item.tokens),
    seconds: mean((item) => item.seconds),
  };
}
