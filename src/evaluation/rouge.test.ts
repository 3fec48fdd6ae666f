// ROUGE and its stemmer against numbers made with Google's rouge-score 0.1.2 (test/golden/rouge).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type RougeScore, rouge, rougeLsum, tokenize } from "./rouge.ts";

type Golden = Readonly<
  Record<"rouge1" | "rouge2" | "rougeL" | "rougeLsum", readonly [number, number, number]>
>;
type Pair = {
  readonly target: string;
  readonly prediction: string;
  readonly plain: Golden;
  readonly stemmed: Golden;
};

const pairs: readonly Pair[] = JSON.parse(
  readFileSync(new URL("../../test/golden/rouge/pairs.json", import.meta.url), "utf8"),
);

for (const useStemmer of [false, true]) {
  test(`equals rouge-score within 1e-12, useStemmer ${useStemmer}`, () => {
    assert.equal(pairs.length, 62);
    for (const pair of pairs) {
      const options = { useStemmer };
      const scores = {
        ...rouge(pair.target, pair.prediction, options),
        rougeLsum: rougeLsum(pair.target, pair.prediction, options),
      };
      const golden = useStemmer ? pair.stemmed : pair.plain;
      for (const name of ["rouge1", "rouge2", "rougeL", "rougeLsum"] as const)
        assertClose(scores[name], golden[name], `${name} of ${JSON.stringify(pair.prediction)}`);
    }
  });
}

function assertClose(score: RougeScore, golden: readonly [number, number, number], what: string): void {
  for (const [i, value] of [score.precision, score.recall, score.f].entries())
    assert.ok(Math.abs(value - golden[i]!) <= 1e-12, `${what}: ${value}, expected ${golden[i]}`);
}

test("tokens are lower-case runs of ASCII letters and digits", () => {
  assert.deepEqual(tokenize("Größe_2 = newValue;\n", { useStemmer: false }), ["gr", "e", "2", "newvalue"]);
});

test("stems only words longer than three characters", () => {
  assert.deepEqual(tokenize("ties die has plates", { useStemmer: true }), ["tie", "die", "has", "plate"]);
});

test("is blind to indentation and punctuation, and not to order", () => {
  const options = { useStemmer: false };
  assert.equal(rouge("if (a) { b; }", "if a\n\tb", options).rougeL.f, 1);
  assert.equal(rouge("a b", "b a", options).rouge1.f, 1);
  assert.equal(rouge("a b", "b a", options).rougeL.f, 0.5);
});

test("scores two texts of 3,000 tokens within a second", () => {
  const text = (step: number) => Array.from({ length: 3000 }, (_, i) => `t${(i * step) % 501}`).join(" ");
  const start = performance.now();
  assert.ok(rouge(text(7), text(11), { useStemmer: true }).rougeL.f > 0);
  assert.ok(performance.now() - start < 1000);
});
