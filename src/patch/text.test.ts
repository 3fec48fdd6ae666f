// Lines of texts: every byte kept, and newlines only missing at the very end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Edit, replaceLines, splitLines } from "./text.ts";

test("splitLines keeps every byte", () => {
  assert.deepEqual(splitLines(""), []);
  assert.deepEqual(splitLines("\n"), ["\n"]);
  assert.deepEqual(splitLines("a\r\n\u2028b"), ["a\r\n", "\u2028b"]);
});

const edit = (start: number, count: number, ...lines: string[]): Edit => ({ start, count, lines });
const CASES: readonly (readonly [text: string, edits: readonly Edit[], result: string | RegExp])[] = [
  ["a\nb\nc", [], "a\nb\nc"],
  ["a\nb\nc", [edit(0, 1), edit(1, 1, "x\n", "y\n")], "x\ny\nc"],
  ["a\nb\nc", [edit(3, 0, "d\n")], "a\nb\nc\nd\n"],
  ["a\nb\nc", [edit(2, 1), edit(3, 0, "d")], "a\nb\nd"],
  ["", [edit(0, 0, "\n")], "\n"],
  ["a\nb\nc", [edit(2, 1, "c"), edit(3, 0, "d\n")], /^an added line/],
  ["a\nb\nc", [edit(0, 1, "x")], /^an added line/],
  ["a\nb\nc", [edit(2, 2)], /^out of range, the file has 3 lines$/],
  ["a\nb\n", [edit(3, 0, "x\n")], /^out of range, the file has 2 lines$/],
  ["a\nb\nc", [edit(1, 2), edit(2, 1)], /^overlaps/],
];

for (const [text, edits, wanted] of CASES) {
  test(`replaceLines ${JSON.stringify([text, edits])}`, () => {
    const result = replaceLines(text, edits);
    if (typeof wanted === "string") assert.deepEqual(result, { ok: true, value: wanted });
    else assert.match(result.ok ? "taken" : result.reason, wanted);
  });
}
