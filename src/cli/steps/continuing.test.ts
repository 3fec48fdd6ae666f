// Which commits a continued run trains, trains again and only measures.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../../base/errors.ts";
import { ofCommits, oldCount, readCommits, selectCommits, writeCommits } from "./continuing.ts";

const folder = mkdtempSync(join(tmpdir(), "codefudge-continuing-"));
after(() => rmSync(folder, { recursive: true }));

/** Two examples a commit. */
const examples = Array.from({ length: 400 }, (_, i) => ({ commit: `c${Math.floor(i / 2)}` }));
const known = new Set(Array.from({ length: 160 }, (_, i) => `c${i}`));
const choice = { known, seed: 42, folder };

test("new commits all, old ones to train again or to measure, each in one place", () => {
  const { fresh, old, measured } = selectCommits(examples, choice);
  assert.deepEqual(
    [...fresh],
    Array.from({ length: 40 }, (_, i) => `c${160 + i}`),
  );
  assert.equal(measured.size, 12);
  assert.deepEqual(new Set([...old, ...measured]), known);
  assert.equal(old.length + measured.size, known.size);
  assert.deepEqual([oldCount(80, 0.25), oldCount(80, 0.5), oldCount(80, 0)], [27, 80, 0]);
});

test("the same seed chooses the same, another others", () => {
  assert.deepEqual(selectCommits(examples, choice), selectCommits(examples, choice));
  assert.notDeepEqual(selectCommits(examples, { ...choice, seed: 1 }), selectCommits(examples, choice));
});

test("of few old commits half are left to be trained again", () => {
  const { old, measured } = selectCommits(examples, { ...choice, known: new Set(["c0", "c1", "c2"]) });
  assert.deepEqual([old.length, measured.size], [1, 2]);
});

test("nothing new is a sentence, and so is a run that does not know its commits", () => {
  assert.throws(() => selectCommits(examples.slice(0, 100), choice), UserError);
  assert.throws(() => readCommits(folder), /found no such file; train that run again with --restart/);
  writeCommits(folder, ["b", "a", "b"]);
  assert.deepEqual([...readCommits(folder)], ["b", "a"]);
});

test("examples of some commits stay in order", () => {
  const some = ofCommits(examples.slice(0, 6) as never, new Set(["c2"]), new Set(["c0"]));
  assert.deepEqual(
    [...some].map(({ commit }) => commit),
    ["c0", "c0", "c2", "c2"],
  );
});
