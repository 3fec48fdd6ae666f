// Measures one arm (the base, or the trained model) on held-out examples: what the answers cost, and what the model
// writes when asked. Same examples and format for every arm make them comparable; that is the caller's part.

import type { Example } from "../dataset/example.ts";
import type { Packed } from "../dataset/fitting.ts";
import { type Format, patchOf } from "../dataset/format.ts";
import { type WantedChange, withoutIndex } from "../dataset/raw-diff.ts";
import type { Rendered } from "../dataset/render.ts";
import {
  type Change,
  type FileChange,
  type Suggestion,
  suggest,
  type Writer,
} from "../generation/suggest.ts";
import { applyPatch } from "../patch/apply.ts";
import { sequenceLosses } from "../training/loss.ts";
import type { Network } from "../training/network.ts";
import { bitsPerByte, editSimilarity, type Interval, type Measured, meanWithBootstrap } from "./metrics.ts";
import { rouge, rougeLsum } from "./rouge.ts";

/** A held-out request with the changes that answer it, and their ids. */
export type HeldOut = { readonly rendered: Rendered; readonly packed: Packed };

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
  /** The files to change, in order. */
  readonly paths: readonly string[];
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

/** What is measured already, by place in the list of what is to be measured. */
export type Known<T> = ReadonlyMap<number, T>;

/** A figure that is new, and whose it is. */
export type Figure<T> = { readonly index: number; readonly value: T };

/** Likelihood of the held-out answers under an engine's weights, short ones first. Yields what each answer costs, in
 * nats, and stops between two of them. */
export async function* measureLikelihood(
  engine: () => Network,
  heldOut: readonly HeldOut[],
  { known, signal }: { readonly known: Known<number>; readonly signal: AbortSignal },
): AsyncGenerator<Figure<number>, Likelihood> {
  const losses = new Map(known);
  const order = heldOut
    .map((_, index) => index)
    .sort((a, b) => heldOut[a]!.rendered.ids.length - heldOut[b]!.rendered.ids.length || a - b);
  for (const index of order) {
    if (losses.has(index)) continue;
    signal.throwIfAborted();
    const [value] = await sequenceLosses(engine(), [heldOut[index]!.rendered]);
    losses.set(index, value!);
    yield { index, value: value! };
  }
  return summarizeLosses(heldOut, losses);
}

function summarizeLosses(heldOut: readonly HeldOut[], losses: Known<number>): Likelihood {
  const values = heldOut.map(({ packed, rendered }, i): Measured => {
    const bytes = Math.max(1, rendered.answerBytes);
    return { commit: commitOf(packed), value: bitsPerByte(losses.get(i)!, bytes), weight: bytes };
  });
  return {
    answers: heldOut.length,
    bytes: heldOut.reduce((sum, item) => sum + item.rendered.answerBytes, 0),
    bits_per_byte: meanWithBootstrap(values, BOOTSTRAP),
    log_likelihood: -heldOut.reduce((sum, _, i) => sum + losses.get(i)!, 0) / heldOut.length,
  };
}

function commitOf({ examples }: Packed): string {
  return examples[0]!.commit;
}

/** An answer of more than three times the tokens that it should have cannot be exact any more; short ones have this. */
const LEAST_TOKENS = 64;

/** Tokens that a held-out answer may have. */
export function answerLimit({ ids, promptLength }: Rendered, max_new_tokens: number): number {
  return Math.min(max_new_tokens, Math.max(LEAST_TOKENS, 3 * (ids.length - promptLength)));
}

/** Asks for each change in turn, yields what became of it, and returns the shares and means of all. Stops between two
 * requests when `signal` says so; the writer's own signal ends an answer. */
export async function* measureWriting(
  writer: () => Writer,
  heldOut: readonly HeldOut[],
  { known, signal }: { readonly known: Known<Written>; readonly signal: AbortSignal },
): AsyncGenerator<Figure<Written>, Generated> {
  const written = new Map(known);
  for (const [index, { packed, rendered }] of heldOut.entries()) {
    if (written.has(index)) continue;
    signal.throwIfAborted();
    const all = writer();
    const limited = { ...all, max_new_tokens: answerLimit(rendered, all.max_new_tokens) };
    const value = judge(packed, all.format, await suggest(limited, packed.request));
    written.set(index, value);
    yield { index, value };
  }
  return summarize(heldOut.map((_, i) => written.get(i)!));
}

/** Compares one suggestion with what the commit really did. */
export function judge(packed: Packed, format: Format, { answer, change }: Suggestion): Written {
  const { request, examples } = packed;
  const wanted = examples.flatMap((example): WantedChange[] => {
    const patch = patchOf(example);
    return patch.ok ? [{ patch: patch.value, diff: example.diff }] : [];
  });
  const reference = format.answer(request, wanted);
  const diff = wanted.map((one) => withoutIndex(one.diff)).join("");
  const printed = change.ok ? change.value.diff : answer.text;
  const scores = rouge(diff, printed, STEMMED);
  return {
    commit: commitOf(packed),
    paths: examples.map(({ path }) => path),
    message: request.message,
    answer: answer.text,
    reason: change.ok ? null : change.reason,
    diff: change.ok ? change.value.diff : null,
    parsed: answer.ended && format.read(answer.text, request).ok,
    applied: change.ok,
    exact: change.ok && examples.every((example) => isDone(example, change.value)),
    edit_similarity: editSimilarity(reference.ok ? reference.value : "", answer.text),
    rouge1: scores.rouge1.f,
    rouge2: scores.rouge2.f,
    rougeL: scores.rougeL.f,
    rougeLsum: rougeLsum(diff, printed, STEMMED).f,
    tokens: answer.tokens,
    seconds: answer.seconds,
  };
}

/** Exact is the resulting file, and its name where that changes; two diffs may differ and still mean the same. */
function isDone(example: Example, { files }: Change): boolean {
  const patch = patchOf(example);
  if (!patch.ok) return false;
  const wanted = applyPatch(patch.value, example.old);
  const found: FileChange | undefined = files.find(({ before }) => before === example.path);
  return wanted.ok && found?.after === wanted.value && found.patch.path === patch.value.path;
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
