// The stemmer against 2,000 words stemmed by NLTK's PorterStemmer (test/golden/rouge), and the cases that differ from
// Porter's paper.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { stem } from "./stem.ts";

test("stems 2,000 words as NLTK does", () => {
  const text = readFileSync(new URL("../../test/golden/rouge/stems.txt", import.meta.url), "utf8");
  const rows = text
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" "));
  assert.equal(rows.length, 2000);
  assert.deepEqual(
    rows.filter(([word, expected]) => stem(word!) !== expected).map(([word]) => `${word} ${stem(word!)}`),
    [],
  );
});

test("keeps words of one and two letters", () => {
  assert.deepEqual(["", "s", "as", "by", "is"].map(stem), ["", "s", "as", "by", "is"]);
});

test("knows the irregular forms", () => {
  assert.deepEqual(["skies", "dying", "news", "innings", "proceed"].map(stem), [
    "sky",
    "die",
    "news",
    "inning",
    "proceed",
  ]);
});

test("departs from Porter's paper where NLTK does", () => {
  const expected = { dies: "die", died: "die", spied: "spi", enjoy: "enjoy", spy: "spi", geology: "geolog" };
  for (const [word, result] of Object.entries(expected)) assert.equal(stem(word), result, word);
});
