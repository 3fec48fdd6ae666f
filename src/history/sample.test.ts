// Whether the sample is the same every time, and fit to be learned from.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { collect, git, withFolder } from "../../test/repository.ts";
import { UserError } from "../base/errors.ts";
import { createSample } from "./sample.ts";

// Changes when the templates do; then it is right to write the new one here.
const HEAD_OF_SEED_1 = "c87154a7601beff1ce8cb1a89b528089080030fe";

test("the same seed gives the same commits, another seed others", async () => {
  await withFolder(async (folder) => {
    assert.equal(await createSample(join(folder, "one")), HEAD_OF_SEED_1);
    assert.equal(await createSample(join(folder, "two"), { seed: 1, commits: 1000 }), HEAD_OF_SEED_1);
    assert.notEqual(await createSample(join(folder, "three"), { seed: 2 }), HEAD_OF_SEED_1);
    const status = await git(["status", "--porcelain"], { cwd: join(folder, "one") });
    assert.equal(status, "", "the work tree is checked out");
  });
});

test("nearly every record becomes an example, one file a commit, files short", async () => {
  await withFolder(async (folder) => {
    await createSample(folder);
    const { events, result } = await collect(folder);
    assert.equal(result.commits, 1000);
    assert.ok(result.examples >= 0.95 * result.records, `${result.examples} of ${result.records}`);
    const examples = events.flatMap((event) => (event.type === "example" ? [event.example] : []));
    const edits = examples.filter(({ parent }) => parent !== null);
    assert.equal(new Set(edits.map(({ commit }) => commit)).size, edits.length);
    assert.ok(edits.some(({ diff }) => diff.includes("\nrename from ")));
    for (const { old, path } of edits) assert.ok(old!.split("\n").length <= 31, path);
  });
});

test("most answers copy their new words from the message", async () => {
  await withFolder(async (folder) => {
    await createSample(folder);
    const { events } = await collect(folder);
    const edits = events.flatMap((event) =>
      event.type === "example" && event.example.parent !== null ? [event.example] : [],
    );
    const told = edits.filter(({ message, diff, old }) => {
      const added = diff.split("\n").filter((line) => /^\+[^+]/.test(line));
      const words = added.flatMap((line) => line.slice(1).match(/[\w.]+/g) ?? []);
      return words.every((word) => message.includes(word) || old!.includes(word));
    });
    assert.ok(told.length >= 0.98 * edits.length, `${told.length} of ${edits.length}`);
  });
});

test("a folder with files in it is left alone", async () => {
  await withFolder(async (folder) => {
    writeFileSync(join(folder, "mine.txt"), "");
    await assert.rejects(createSample(folder), UserError);
  });
});
