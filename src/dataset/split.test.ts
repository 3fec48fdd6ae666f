// Sides by time, and duplicates across them.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Example, Split } from "./example.ts";
import { createDuplicateCheck, splitByTime } from "./split.ts";

function sides(count: number, shares?: { validation: number; test: number }): string {
  const commits = Array.from({ length: count }, (_, i) => `${i}`);
  return [...splitByTime(commits, shares).values()].map((side) => side[1]).join("");
}

test("oldest train, then validation, newest test", () => {
  assert.equal(sides(40), `${"r".repeat(34)}aaeeee`);
  assert.equal(sides(10, { validation: 0.2, test: 0.3 }), "rrrrraaeee");
});

test("no side is empty from three commits on", () => {
  assert.equal(sides(0), "");
  assert.equal(sides(1), "r");
  assert.equal(sides(2), "rr");
  assert.equal(sides(3), "rae");
  assert.equal(sides(4, { validation: 0.9, test: 0.9 }), "raee");
});

function example(path: string, old: string, body: string): Example {
  const diff = `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n${body}`;
  return { message: "m", path, old, diff, commit: "c", parent: null, time: 0, author: "A" };
}

test("what an earlier side has is a duplicate; what the same side has is not", () => {
  const check = createDuplicateCheck();
  const first = example("f", "a\n", "@@ -1 +1 @@\n-a\n+b\n");
  const moved = example("g", "x\na\n", "@@ -1,2 +1,2 @@\n x\n-a\n+b\n");
  const other = example("g", "x\na\n", "@@ -1,2 +1,2 @@\n x\n-a\n+c\n");
  const steps: readonly (readonly [Example, Split, string | undefined])[] = [
    [first, "train", undefined],
    [first, "train", undefined],
    [moved, "train", undefined],
    [first, "validation", "same example"],
    [other, "validation", undefined],
    [other, "validation", undefined],
    [example("h", "y\na\n", "@@ -1,2 +1,2 @@\n y\n-a\n+b\n"), "test", "same changed lines"],
    [other, "test", "same example"],
    [example("h", "a\nb\n", "@@ -1,2 +1,2 @@\n-a\n+b\n b\n"), "test", "same changed lines"],
  ];
  for (const [record, side, wanted] of steps) assert.equal(check(record, side), wanted);
});

test("renames without changed lines are told apart by their files", () => {
  const check = createDuplicateCheck();
  const rename = (from: string): Example => ({
    ...example(from, "", ""),
    diff: `diff --git a/${from} b/z\nsimilarity index 100%\nrename from ${from}\nrename to z\n`,
  });
  assert.equal(check(rename("a"), "train"), undefined);
  assert.equal(check(rename("b"), "test"), undefined);
  assert.equal(check(rename("a"), "test"), "same example");
});
