// ROUGE-1, -2, -L and -Lsum between a target and a prediction, equal to Google's rouge-score 0.1.2 (Lin, 2004), so that
// numbers compare with those of 2022. Only ASCII letters and digits count: it is blind to indentation and punctuation.

import { stem } from "./stem.ts";

/** `precision` is the share of the prediction found in the target, `recall` the other way round; `f` joins both. */
export type RougeScore = { readonly precision: number; readonly recall: number; readonly f: number };

export type RougeScores = {
  readonly rouge1: RougeScore;
  readonly rouge2: RougeScore;
  readonly rougeL: RougeScore;
};

export type RougeOptions = { readonly useStemmer: boolean };

const ZERO: RougeScore = { precision: 0, recall: 0, f: 0 };

/** ROUGE-1, -2 and -L of one prediction, each from 0 to 1. */
export function rouge(target: string, prediction: string, options: RougeOptions): RougeScores {
  const a = tokenize(target, options);
  const b = tokenize(prediction, options);
  return { rouge1: scoreNgrams(a, b, 1), rouge2: scoreNgrams(a, b, 2), rougeL: scoreSubsequence(a, b) };
}

/** ROUGE-L over summaries: each line of the target against every line of the prediction, whose tokens count once. */
export function rougeLsum(target: string, prediction: string, options: RougeOptions): RougeScore {
  const targetLines = tokenizeLines(target, options);
  const predictionLines = tokenizeLines(prediction, options);
  const left = count(predictionLines.flat());
  let hits = 0;
  for (const line of targetLines) {
    for (const token of unionOfSubsequences(line, predictionLines)) {
      const times = left.get(token)!;
      if (times > 0) hits += 1;
      left.set(token, Math.max(0, times - 1));
    }
  }
  return toScore(hits, targetLines.flat().length, predictionLines.flat().length);
}

/** Lower-case runs of ASCII letters and digits; with `useStemmer`, those longer than three characters are stemmed. */
export function tokenize(text: string, options: RougeOptions): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return options.useStemmer ? words.map((word) => (word.length > 3 ? stem(word) : word)) : words;
}

function tokenizeLines(text: string, options: RougeOptions): string[][] {
  return text.split("\n").map((line) => tokenize(line, options));
}

function scoreNgrams(target: readonly string[], prediction: readonly string[], n: number): RougeScore {
  const wanted = count(ngrams(target, n));
  const found = count(ngrams(prediction, n));
  let hits = 0;
  for (const [ngram, times] of wanted) hits += Math.min(times, found.get(ngram) ?? 0);
  return toScore(hits, target.length - n + 1, prediction.length - n + 1);
}

/** Tokens hold no space, so joining by one keeps n-grams apart. */
function ngrams(tokens: readonly string[], n: number): string[] {
  return tokens.slice(0, Math.max(0, tokens.length - n + 1)).map((_, i) => tokens.slice(i, i + n).join(" "));
}

function count(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

function toScore(hits: number, wanted: number, found: number): RougeScore {
  if (hits === 0) return ZERO;
  const precision = hits / found;
  const recall = hits / wanted;
  return { precision, recall, f: (2 * precision * recall) / (precision + recall) };
}

function scoreSubsequence(target: readonly string[], prediction: readonly string[]): RougeScore {
  return toScore(commonLength(target, prediction), target.length, prediction.length);
}

/** Length of the longest common subsequence, in two rows. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  const [x, y] = internTokens(a, b);
  let above = new Uint32Array(y.length + 1);
  let row = new Uint32Array(y.length + 1);
  for (let i = 0; i < x.length; i++) {
    fillRow(above, row, { token: x[i]!, tokens: y });
    [above, row] = [row, above];
  }
  return above[y.length]!;
}

function fillRow(above: Uint32Array, row: Uint32Array, at: { token: number; tokens: Uint32Array }): void {
  const { token, tokens } = at;
  for (let j = 0; j < tokens.length; j++) {
    row[j + 1] = tokens[j] === token ? above[j]! + 1 : Math.max(above[j + 1]!, row[j]!);
  }
}

/** The tokens of `line` that lie on its common subsequence with at least one of `others`, in order. */
function unionOfSubsequences(line: readonly string[], others: readonly (readonly string[])[]): string[] {
  const matched = new Set<number>();
  for (const other of others) for (const index of commonIndices(line, other)) matched.add(index);
  return line.filter((_, index) => matched.has(index));
}

/** Indices into `a` of one longest common subsequence. Which one, when there are several, is part of the measure. */
function commonIndices(a: readonly string[], b: readonly string[]): number[] {
  const [x, y] = internTokens(a, b);
  const rows = [new Uint32Array(y.length + 1)];
  for (const token of x) {
    const row = new Uint32Array(y.length + 1);
    fillRow(rows.at(-1)!, row, { token, tokens: y });
    rows.push(row);
  }
  const indices: number[] = [];
  for (let i = x.length, j = y.length; i > 0 && j > 0; ) {
    if (x[i - 1] === y[j - 1]) {
      indices.push(i - 1);
      i -= 1;
      j -= 1;
    } else if (rows[i]![j - 1]! > rows[i - 1]![j]!) j -= 1;
    else i -= 1;
  }
  return indices;
}

/** Numbers for tokens, equal for equal tokens: comparing them in the inner loop is several times faster. */
function internTokens(a: readonly string[], b: readonly string[]): [Uint32Array, Uint32Array] {
  const ids = new Map<string, number>();
  const intern = (token: string) => {
    const id = ids.get(token) ?? ids.size;
    ids.set(token, id);
    return id;
  };
  return [Uint32Array.from(a, intern), Uint32Array.from(b, intern)];
}
