import assert from "node:assert/strict";
import { test } from "node:test";
import { mergesOf } from "./merges.ts";

const pieces = ["a", "b", "c", "ab", "bc", "abc", "😀", "a😀"];

// As transformers' generate_merges gives them.
test("every way to put a piece together, lowest ids and shorter left halves first", () => {
  assert.deepEqual(mergesOf(pieces), [
    ["a", "b"],
    ["b", "c"],
    ["a", "bc"],
    ["ab", "c"],
    ["a", "😀"],
  ]);
});

test("with scores, the best first, and longer left halves first", () => {
  assert.deepEqual(mergesOf(pieces, [0, 0, 0, -3, -2, -1, 0, -4]), [
    ["ab", "c"],
    ["a", "bc"],
    ["b", "c"],
    ["a", "b"],
    ["a", "😀"],
  ]);
});

test("pieces of a length that no tokenizer has are refused before they cost an hour", () => {
  const long = Array.from({ length: 40 }, (_, i) => "x".repeat(4000 + i));
  assert.throws(() => mergesOf(long), { name: "UserError", message: /found some of thousands of letters/ });
});
