// Whether each kind of change, name, content, message and graph ends as it should: each record of git as a true example
// or under its one reason, case by case.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { withFolder } from "../repository.ts";
import { type CaseRepository, makeCases } from "./cases.ts";
import { kinds } from "./kinds.ts";
import { commits } from "./names.ts";
import { assertReapplies, byKey, keyOf, keyOfRecord, recordsOf } from "./oracle.ts";
import { type Reading, readHistory } from "./reading.ts";

const cases = [...kinds, ...commits];

test("every case becomes what it should, and nothing is lost between git and the dataset", async (t) => {
  await withFolder(async (folder) => {
    const repository = await makeCases(folder, cases);
    const reading = await readHistory(repository.path, join(folder, "data"));
    const found = outcomesOf(reading, repository);
    for (const [i, { name, becomes }] of cases.entries()) {
      await t.test(name, () => assert.deepEqual(found[i]!.sort(), [...becomes].sort()));
    }
    const records = await recordsOf(repository.path);
    await t.test("the lines are git's records, each once", () => {
      const lines = [...reading.examples, ...reading.dropped].map(({ commit, path }) => keyOf(commit, path));
      assert.deepEqual(lines.sort(), records.map(keyOfRecord).sort());
      assert.equal(reading.manifest.counters["records"], records.length);
    });
    await t.test("git applies every example to its own old blob and gets its own new one", async () => {
      await assertReapplies(repository.path, reading.examples, byKey(records));
    });
  });
});

function outcomesOf({ examples, dropped }: Reading, { caseOf }: CaseRepository): string[][] {
  const outcomes = cases.map((): string[] => []);
  const put = (commit: string, outcome: string) => outcomes[caseOf.get(commit) ?? -1]?.push(outcome);
  for (const { commit, path } of examples) put(commit, `example ${path}`);
  for (const { commit, path, reason } of dropped) put(commit, `${reason} ${path}`);
  return outcomes;
}
