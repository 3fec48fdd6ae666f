// How much of the test stands in what is learned from, counted by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Example, Split } from "./example.ts";
import { createLeakMeter, type LeakReport } from "./leak.ts";

const sides: readonly Split[] = ["train", "validation", "test"];

function measure(parts: Readonly<Record<Split, readonly Example[]>>): LeakReport {
  const [train, validation, test] = sides.map((split) => parts[split].length) as [number, number, number];
  const meter = createLeakMeter({ train, validation, test });
  for (const split of sides) for (const one of parts[split]) meter.test(one, split);
  for (const split of sides) for (const one of parts[split]) meter.learn(one, split);
  return meter.report();
}

const line = (name: string) => `function ${name}IsLongEnough() {}`;

function example(old: string | null, added: readonly string[]): Example {
  const diff = `diff --git a/f b/f\n@@ -0,0 +1 @@\n${added.map((text) => `+${text}\n`).join("")}`;
  return { message: "m", path: "f", old, diff, commit: "c", parent: null, time: 0, author: "A", weight: 1 };
}

const examples: Readonly<Record<Split, readonly Example[]>> = {
  train: [example(`${line("a")}\n`, [line("b")]), example(null, [`  ${line("c")}`])],
  validation: [example(null, [line("v")])],
  test: [
    example(null, [line("a"), `\t${line("b")}`]),
    example(null, [line("c"), line("new")]),
    example(null, [line("v")]),
    example(null, ["short"]),
  ],
};

test("lines of old contents and diffs count, short ones and the validation side do not", () => {
  const { divided, random } = measure(examples);
  assert.deepEqual(divided, { examples: 4, answers: 3, knownAnswers: 1, lines: 5, knownLines: 3 });
  assert.equal(random.examples, 4);
});

test("a random division of versions of one file is nearly all known", () => {
  const version = (number: number) => Array.from({ length: number }, (_, i) => line(`x${i}`)).join("\n");
  const all = Array.from({ length: 100 }, (_, i) => example(version(i), [line(`x${i}`)]));
  const parts = { train: all.slice(0, 85), validation: all.slice(85, 90), test: all.slice(90) };
  const { divided, random } = measure(parts);
  assert.equal(divided.knownAnswers, 0);
  assert.ok(random.knownAnswers >= 9, `${random.knownAnswers}`);
});
