// Sides by time, and what an older side has already.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultsOf } from "../base/options.ts";
import type { Example, Split } from "./example.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { createDivision, divideCommits, type SplitOptions, splitByTime, splitOptions } from "./split.ts";

function sides(count: number, shares?: { validation: number; test: number }): string {
  const commits = Array.from({ length: count }, (_, i) => `${i}`);
  return letters(splitByTime(commits, shares));
}

/** r for train, a for validation, e for test. */
function letters(sides: ReadonlyMap<string, Split>): string {
  return [...sides.values()].map((side) => side[1]).join("");
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

function divided(options: Partial<SplitOptions>): string {
  const day = (index: number) => Date.UTC(2024, 0, 1 + index) / 1000 + 3600;
  const commits = Array.from({ length: 10 }, (_, index) => ({ hash: `${index}`, time: day(index) }));
  return letters(divideCommits(commits, { ...defaultsOf(splitOptions), ...options }));
}

test("sizes by share or by date", () => {
  assert.equal(divided({}), "rrrrrrrrae");
  assert.equal(divided({ test_share: 0.3, validation_share: 0.2 }), "rrrrraaeee");
  assert.equal(divided({ test_since: "2024-01-08", validation_share: 0.2 }), "rrrrraaeee");
  assert.equal(divided({ test_since: "2024-01-08", validation_since: "2024-01-02" }), "raaaaaaeee");
  assert.equal(divided({ validation_since: "2024-01-04" }), "rrraaaaaae");
  assert.equal(divided({ test_since: "2030-01-01", validation_share: 0.1 }), "rrrrrrrrra");
});

test("parts and dates that contradict are refused", () => {
  assert.throws(() => divided({ test_share: 0.6, validation_share: 0.4 }), { name: "UsageError" });
  assert.throws(() => divided({ test_since: "soon" }), { name: "UsageError", message: /--test_since/ });
  assert.throws(() => divided({ test_since: "2024-01-01", validation_since: "2024-01-02" }), {
    name: "UsageError",
    message: /before --test_since/,
  });
});

let count = 0;

/** A change of one file with its own contents, unless `ids` says otherwise. */
function example(path: string, body: string, part: Partial<Example> & { ids?: string } = {}): Example {
  const { ids = `${++count}a..${count}b`, ...rest } = part;
  const diff = `diff --git a/${path} b/${path}\nindex ${ids} 100644\n--- a/${path}\n+++ b/${path}\n${body}`;
  return {
    message: "m",
    path,
    old: "",
    diff,
    commit: `c${++count}`,
    parent: null,
    time: 0,
    author: "A",
    weight: 1,
    ...rest,
  };
}

/** The reasons for examples with their sides, in order. */
function reasons(steps: readonly (readonly [Example, Split])[]): (string | undefined)[] {
  const division = createDivision();
  return steps.map(([step, side]) => division.place(fingerprintOf(step), side)?.reason);
}

test("what an older side has is set aside; what the same side has is not", () => {
  const first = example("f", "@@ -1 +1 @@\n-a\n+b\n", { ids: "1..2" });
  const other = example("g", "@@ -1 +1 @@\n-a\n+c\n");
  const steps: readonly (readonly [Example, Split, string | undefined])[] = [
    [first, "train", undefined],
    [first, "train", undefined],
    [example("f", "@@ -1,2 +1,2 @@\n-a\n+b\n x\n", { ids: "1..2" }), "validation", "cherry-pick"],
    [example("g", "@@ -7 +7 @@\n-a\n+b\n"), "validation", "duplicate"],
    [other, "validation", undefined],
    [other, "validation", undefined],
    [other, "test", "cherry-pick"],
    [example("z", "@@ -1 +1 @@\n-b\n+a\n"), "test", "revert"],
    [example("z", "@@ -1 +1 @@\n-b\n+d\n"), "test", undefined],
  ];
  assert.deepEqual(
    reasons(steps.map(([step, side]) => [step, side])),
    steps.map(([, , wanted]) => wanted),
  );
});

test("a revert is known by the commit that it names, but not when that is on its own side", () => {
  const hash = (letter: string) => letter.repeat(40);
  const revert = (of: string) =>
    example("f", "@@ -1 +1 @@\n-q\n+r\n", { message: `Undo\n\nThis reverts commit ${of}.` });
  const train = example("f", "@@ -1 +1 @@\n-a\n+b\n", { commit: hash("a") });
  const late = example("f", "@@ -1 +1 @@\n-c\n+d\n", { commit: hash("b") });
  assert.deepEqual(
    reasons([
      [train, "train"],
      [late, "test"],
      [revert(hash("a")), "test"],
      [revert(hash("b")), "test"],
      [revert(hash("c")), "test"],
    ]),
    [undefined, undefined, "revert", undefined, undefined],
  );
});

test("to delete a file that an older side made is no revert", () => {
  const path = "f";
  const make = example(path, "@@ -0,0 +1 @@\n+a\n");
  const take = example(path, "@@ -1 +0,0 @@\n-a\n");
  const remove = { ...take, diff: take.diff.replace("\nindex", "\ndeleted file mode 100644\nindex") };
  assert.deepEqual(
    reasons([
      [make, "train"],
      [remove, "test"],
      [take, "test"],
    ]),
    [undefined, undefined, "revert"],
  );
});

test("nearly the same lines, and answers of known lines, are set aside", () => {
  const words = (from: number) => Array.from({ length: 60 }, (_, i) => `word${from + i}`);
  const lines = (list: readonly string[]) =>
    list
      .map((word, i) => `+${word}${i % 6 === 5 ? "\n" : " "}`)
      .join("")
      .replaceAll(" +", " ");
  const long = (name: string) => `const ${name} = readEveryLineOf(${name}File);`;
  const body = (text: string) => `@@ -0,0 +1,10 @@\n${text}`;
  assert.deepEqual(
    reasons([
      [example("a", body(lines(words(0)))), "train"],
      [example("b", body(`+${long("first")}\n+${long("second")}\n`)), "train"],
      [example("c", body(lines(words(2)))), "test"],
      [example("d", body(lines(words(30)))), "test"],
      [example("e", body(`+\t${long("second")}\n+}\n+x\n`)), "test"],
      [example("f", body(`+${long("second")}\n+${long("third")}\n`)), "test"],
    ]),
    [undefined, undefined, "near-duplicate", undefined, "near-duplicate", undefined],
  );
});

test("renames without changed lines are told apart by their files", () => {
  const rename = (from: string): Example => ({
    ...example(from, ""),
    diff: `diff --git a/${from} b/z\nsimilarity index 100%\nrename from ${from}\nrename to z\n`,
  });
  assert.deepEqual(
    reasons([
      [rename("a"), "train"],
      [rename("b"), "test"],
      [rename("a"), "test"],
    ]),
    [undefined, undefined, "cherry-pick"],
  );
});

test("the report counts every example once", () => {
  const division = createDivision();
  const one = fingerprintOf(example("f", "@@ -1 +1 @@\n-a\n+b\n"));
  for (const side of ["train", "train", "test"] as const) division.place(one, side);
  const { train, validation, test: newest } = division.report();
  assert.deepEqual([train.kept, validation.kept, newest.kept, newest.aside["cherry-pick"]], [2, 0, 0, 1]);
});
