// Which rules of a repository reach the filters, and that nothing else is read for them.

import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { collect, git, makeRepository, withFolder } from "../../test/repository.ts";
import { IGNORE_FILE, readRules } from "./rules.ts";
import { openShadow } from "./shadow.ts";

async function rulesOf(repository: string) {
  const shadow = await openShadow(repository);
  try {
    return await readRules(shadow.top, shadow);
  } finally {
    shadow.dispose();
  }
}

test(".codefudgeignore is the work tree's, .gitattributes that of the commit that is checked out", async () => {
  await withFolder(async (folder) => {
    const attributes = "made.txt linguist-generated\n";
    const repository = await makeRepository(join(folder, "r"), [
      {
        files: { "made.txt": "1\n", "plain.txt": "1\n", "left/out.txt": "1\n", ".gitattributes": attributes },
      },
    ]);
    writeFileSync(join(repository, IGNORE_FILE), "left/\n");
    writeFileSync(join(repository, ".gitattributes"), "plain.txt linguist-generated\n");
    assert.deepEqual(await rulesOf(repository), { ignore: "left/\n", attributes });
    mkdirSync(join(repository, "below"));
    const { events } = await collect(join(repository, "below"));
    const dropped = events.flatMap((event) =>
      event.type === "dropped" ? `${event.reason} ${event.path}` : [],
    );
    assert.deepEqual(dropped, ["excluded left/out.txt", "generated made.txt"]);
  });
});

test("without either, and in a bare repository, there are no rules", async () => {
  await withFolder(async (folder) => {
    const bare = await makeRepository(join(folder, "r"), [{ files: { "a.txt": "1\n" } }], ["--bare"]);
    assert.deepEqual(await rulesOf(bare), { ignore: "", attributes: "" });
  });
});

test("an ignore file that is a link, a folder or huge is refused in words, not followed", async () => {
  await withFolder(async (folder) => {
    writeFileSync(join(folder, "secret"), "*\n");
    const make = async (name: string, place: (path: string) => void) => {
      const repository = await makeRepository(join(folder, name), [{ files: { "a.txt": "1\n" } }]);
      place(join(repository, IGNORE_FILE));
      return assert.rejects(
        rulesOf(repository),
        /^UserError: Expected a plain file .*\.codefudgeignore, found/,
      );
    };
    await make("link", (path) => symlinkSync(join(folder, "secret"), path));
    await make("folder", (path) => mkdirSync(path));
    await make("huge", (path) => writeFileSync(path, "a\n".repeat(1 << 20)));
    // A link in the history is a blob that holds a path; its text is no set of rules, and nothing it names is read.
    const repository = await makeRepository(join(folder, "r"), [
      { files: { ".gitattributes": { mode: "120000", data: "../secret" } } },
    ]);
    await git(["read-tree", "HEAD"], { cwd: repository });
    assert.equal((await rulesOf(repository)).attributes, "../secret");
  });
});
