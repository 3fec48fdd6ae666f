// Which commits a continued run trains, trains again and only measures.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "../../base/errors.ts";
import { ofCommits, readCommits, selectCommits, writeCommits } from "./continuing.ts";

const folder = mkdtempSync(join(tmpdir(), "codefudge-continuing-"));
after(() => rmSync(folder, { recursive: true }));

/** Two examples a commit. */
const examples = Array.from({ length: 400 }, (_, i) => ({ commit: `c${Math.floor(i / 2)}` }));
const known = new Set(Array.from({ length: 160 }, (_, i) => `c${i}`));
const choice = { known, old_share: 0.25, seed: 42, folder };

test("new commits all, old ones by share, others measured, none in two places", () => {
  const { fresh, replayed, measured } = selectCommits(examples, choice);
  assert.deepEqual(
    [...fresh],
    Array.from({ length: 40 }, (_, i) => `c${160 + i}`),
  );
  assert.equal(replayed.size, Math.ceil(80 / 3 / 2), "27 of 107 examples are a quarter");
  assert.equal(measured.size, 12);
  assert.ok([...replayed, ...measured].every((commit) => known.has(commit)));
  assert.equal(
    new Set([...fresh, ...replayed, ...measured]).size,
    fresh.size + replayed.size + measured.size,
  );
});

test("the same seed chooses the same, another others; no share trains none again", () => {
  assert.deepEqual(selectCommits(examples, choice), selectCommits(examples, choice));
  assert.notDeepEqual(selectCommits(examples, { ...choice, seed: 1 }), selectCommits(examples, choice));
  assert.equal(selectCommits(examples, { ...choice, old_share: 0 }).replayed.size, 0);
});

test("of few old commits half are left to be trained again", () => {
  const few = { ...choice, known: new Set(["c0", "c1", "c2"]), old_share: 0.5 };
  const { replayed, measured } = selectCommits(examples, few);
  assert.deepEqual([replayed.size, measured.size], [1, 2]);
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
