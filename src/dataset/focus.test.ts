// Where training points: at the lines of the change and a little more, the same for the same example.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPatch } from "../patch/create.ts";
import type { Example } from "./example.ts";
import { changedRanges, pointedRanges } from "./focus.ts";

const LINES = Array.from({ length: 100 }, (_, i) => `line ${i}\n`);
const PATCH = createPatch({
  path: "f",
  old: LINES.join(""),
  new: LINES.with(10, "a\n").with(80, "b\n").join(""),
});

test("the lines of the hunks, an insertion as a place without lines", () => {
  assert.deepEqual(changedRanges(PATCH), [
    { start: 7, end: 14 },
    { start: 77, end: 84 },
  ]);
  const insertion = createPatch({ path: "f", old: "a\nb\n", new: "a\nx\nb\n", context: 0 });
  assert.deepEqual(changedRanges(insertion), [{ start: 1, end: 1 }]);
  assert.deepEqual(changedRanges(createPatch({ path: "f", old: null, new: "a\n" })), []);
});

test("pointing covers the change, goes too far on one side, and depends on the example alone", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 50; i++) {
    const example = { commit: `c${i}`, path: "f" } as Example;
    const ranges = pointedRanges(PATCH, example);
    assert.deepEqual(pointedRanges(PATCH, example), ranges);
    ranges.forEach(({ start, end }, at) => {
      const { start: first, end: last } = changedRanges(PATCH)[at]!;
      assert.ok(start === first || end === last);
      assert.ok(start <= first && end >= last && end - start <= last - first + 15);
    });
    seen.add(JSON.stringify(ranges));
  }
  assert.ok(seen.size > 40);
});
