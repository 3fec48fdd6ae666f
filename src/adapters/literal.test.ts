// Option strings: what is read, and that nothing else than a value or a reason comes of any text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { parsePairs } from "./literal.ts";

const read = (text: string) => {
  const result = parsePairs(text);
  return result.ok ? Object.fromEntries(result.value) : result.reason;
};

test("numbers, words, texts, lists and maps", () => {
  assert.deepEqual(read("a=1, b=-2.5e-1, c=relu, d='x, y', e=True, f=none"), {
    ...{ a: 1, b: -0.25, c: "relu", d: "x, y", e: true, f: null },
  });
  assert.deepEqual(read("a=[1, [2,], ()], b={'1': 2, x: [3]}"), { a: [1, [2], []], b: { 1: 2, x: [3] } });
  assert.deepEqual(read("  "), {});
  assert.deepEqual(read("a=1.2.3, b=0x10"), { a: "1.2.3", b: "0x10" });
});

test("what is missing is said where", () => {
  assert.equal(read("a"), "= is expected where it ends");
  assert.equal(read("a=[1"), "a comma is expected where it ends");
  assert.equal(read("a='x"), `a closing quote is expected where "'x" stands`);
  assert.equal(read("a={1 2}"), 'a colon is expected where "2}" stands');
  assert.equal(read("=1"), 'a name is expected where "=1" stands');
  assert.equal(read(`a=${"[".repeat(50)}`), "it is nested too deeply");
});

test("any text gives pairs or a reason", () => {
  const random = createRandom(6);
  const pieces = ["a", "=", "1", "[", "]", "{", "}", "(", ")", ":", ",", "'", '"', " ", "-", "None", "é"];
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: random.below(14) }, () => pieces[random.below(pieces.length)]).join("");
    const result = parsePairs(text);
    if (!result.ok) assert.ok(result.reason.length > 5, text);
  }
});
