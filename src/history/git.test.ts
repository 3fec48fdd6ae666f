// Whether the door keeps the caller's environment out and turns failures into results.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../base/errors.ts";
import { gitVersion, runGit, streamGit } from "./git.ts";

async function withVariable(name: string, value: string, use: () => Promise<void>): Promise<void> {
  const before = process.env[name];
  process.env[name] = value;
  try {
    await use();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

test("a failing command is a result with git's words", async () => {
  const { exitCode, stderr, stdout } = await runGit(["no-such-command"]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /not a git command/);
  assert.equal(stdout.length, 0);
});

test("input reaches the command and output comes back as bytes", async () => {
  const { stdout } = await runGit(["hash-object", "--stdin"], { input: Buffer.from("one\n") });
  assert.equal(stdout.toString(), "5626abf0f72e58d7a153368ba57db4c673c0e171\n");
});

test("variables of the caller do not reach git", async () => {
  await withVariable("GIT_AUTHOR_NAME", "Someone Else", async () => {
    const { stdout, exitCode } = await runGit(["var", "GIT_AUTHOR_IDENT"]);
    assert.ok(exitCode !== 0 || !stdout.includes("Someone Else"));
  });
  await withVariable("GIT_TRACE", "1", async () => {
    assert.equal((await runGit(["--version"])).stderr, "");
  });
});

test("no git on the PATH is said in one sentence", async () => {
  await withVariable("PATH", "/nonexistent", async () => {
    await assert.rejects(gitVersion(), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /^Expected git on the PATH, found none; install git/);
      return true;
    });
  });
});

test("aborting ends a command that waits", async () => {
  const abort = new AbortController();
  const child = streamGit(["cat-file", "--batch"], { signal: abort.signal });
  abort.abort();
  await assert.rejects(child.done, { name: "AbortError" });
  assert.throws(() => streamGit(["--version"], { signal: abort.signal }), { name: "AbortError" });
});
