// How many paths commits change is counted without listing them, and only what changes counts.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { commitBytes, plantTreeBomb, treeBytes, writeObjects } from "../../test/history/objects.ts";
import { makeRepository, withFolder } from "../../test/repository.ts";
import { refuseBombs } from "./breadth.ts";
import { openShadow } from "./shadow.ts";

test("commits that bring, change or remove too many paths are refused, and what stays as it was is not counted", async () => {
  await withFolder(async (folder) => {
    const repository = await makeRepository(join(folder, "r"), [{ files: { a: "a\n", "b/c": "c\n" } }]);
    const [small, large] = [await plantTreeBomb(repository, 6), await plantTreeBomb(repository, 12)];
    const [blob] = await writeObjects(repository, "blob", ["other\n"]);
    const tree = async (...entries: readonly [string, string, string][]) => {
      const listed = entries.map(([mode, name, oid]) => ({ mode, name, oid }));
      return (await writeObjects(repository, "tree", [treeBytes(listed)]))[0]!;
    };
    const commit = async (content: string, ...parents: string[]) =>
      (await writeObjects(repository, "commit", [commitBytes(content, "Message", parents)]))[0]!;
    const fine = await commit(await tree(["40000", "bomb", small]));
    const brings = await commit(await tree(["40000", "bomb", large]), fine);
    const beside = await commit(await tree(["100644", "a", blob!], ["40000", "bomb", large]), brings);
    const removes = await commit(await tree(["100644", "a", blob!]), beside);
    const shadow = await openShadow(repository);
    try {
      await refuseBombs(shadow, [fine, beside]);
      for (const bad of [brings, removes]) {
        const said = new RegExp(
          `^UserError: Expected commits of at most 10,000,000 files, found [\\d,]+ in ${bad}, .*--since`,
        );
        await assert.rejects(refuseBombs(shadow, [fine, bad, beside]), said);
      }
      await assert.rejects(refuseBombs(shadow, [brings]), /found 1,000,001,000,000 in/);
    } finally {
      shadow.dispose();
    }
  });
});
