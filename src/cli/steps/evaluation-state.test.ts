// What an unfinished evaluation leaves is found again by the same one, and by no other.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Written } from "../../evaluation/evaluate.ts";
import { openState } from "./evaluation-state.ts";

const folder = mkdtempSync(join(tmpdir(), "codefudge-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("figures are kept by arm and place, until the report is there", () => {
  const written = { commit: "c", paths: ["a"] } as unknown as Written;
  const first = openState(folder, "key");
  assert.equal(first.found, 0);
  first.arms.untrained.losses.set(3, 1.5);
  first.arms.trained.written.set(0, written);
  first.save(false);
  assert.deepEqual(readdirSync(folder), [], "not at once");
  first.save(true);
  const second = openState(folder, "key");
  assert.equal(second.found, 2);
  assert.deepEqual([...second.arms.untrained.losses], [[3, 1.5]]);
  assert.deepEqual([...second.arms.trained.written], [[0, written]]);
  assert.equal(openState(folder, "another").found, 0);
  second.done();
  assert.deepEqual(readdirSync(folder), []);
});
