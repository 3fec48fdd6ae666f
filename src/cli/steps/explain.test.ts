// What is said of a commit whose message, names and author try to write elsewhere on a terminal.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { heldOut } from "../../../test/history/cases.ts";
import { makeRepository, withFolder } from "../../../test/repository.ts";
import { run } from "../../../test/tiny.ts";

test("names and words of the repository are shown as they are, but nothing in them moves the cursor", async () => {
  await withFolder(async (folder) => {
    const files = { "\u001b[2Jclear.txt": "a\n", "tab\there": "b\n", "grüße.txt": "c\n" };
    const message = "\u001b]0;title\u0007Subject\u202e";
    const repository = await makeRepository(join(folder, "r"), [...heldOut(9), { message, files }]);
    const options = ["--output", join(folder, "data")];
    await run(["history", repository, ...options, "--quiet"]);
    for (const target of ["HEAD", "HEAD:none", "\u001b[31m"]) {
      const { stdout, stderr } = await run(["history", repository, ...options, "--explain", target]);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come out
      assert.doesNotMatch(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/, target);
      if (target === "HEAD") assert.match(stdout, /^"tab\\there" +example: test\.jsonl, line \d+$/m);
      if (target === "HEAD") assert.match(stdout, /^grüße\.txt /m);
      else assert.match(stderr, /^Expected a (commit|file or folder) [^\n]*\n$/);
    }
  });
});
