// What a repository brings along in a folder, by the tree of the commit that is checked out.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { plainGit } from "../../test/history/plain-git.ts";
import { makeRepository, withFolder } from "../../test/repository.ts";
import { isBrought } from "./source.ts";

test("a name of the checked-out commit's tree is brought, in any case and any folder, and no other name is", async () => {
  await withFolder(async (folder) => {
    const module = { mode: "160000", data: "1".repeat(40) };
    const files = { ".CodeFudge/x": "x\n", "in/.codefudge/y": "y\n", "in/er/z": "z\n", sub: module };
    const path = await makeRepository(join(folder, "r"), [
      { files },
      { branch: "other", files: { late: "l\n" } },
    ]);
    await plainGit(["checkout", "--quiet", "main"], { cwd: path });
    for (const name of [".codefudge", ".CODEFUDGE. ", "in", "in/.codefudge", "in/er", "in/er/z", "sub"]) {
      assert.equal(await isBrought(join(path, name)), true, name);
    }
    for (const name of ["late", "in/late", "codefudge", ".codefudge2", "er", "nowhere/at/all"]) {
      assert.equal(await isBrought(join(path, name)), false, name);
    }
    await plainGit(["checkout", "--quiet", "other"], { cwd: path });
    assert.equal(await isBrought(join(path, "late")), true);
  });
});

test("nothing is brought where there is no repository, or none with commits", async () => {
  await withFolder(async (folder) => {
    assert.equal(await isBrought(join(folder, "x")), false);
    mkdirSync(join(folder, "r"));
    await plainGit(["init", "--quiet"], { cwd: join(folder, "r") });
    assert.equal(await isBrought(join(folder, "r/x")), false);
  });
});
