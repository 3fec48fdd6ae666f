// The verb over everything below it: a folder of 2022 in, other forms out, and the sentences for what is wrong.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inFolder } from "../../../test/folder.ts";
import { runCli } from "../run.ts";

const GOLDEN = new URL("../../../test/golden/forms/", import.meta.url).pathname;

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function run(cwd: string, ...tokens: string[]): Promise<Outcome> {
  const seen = { stdout: "", stderr: "" };
  const code = await runCli(["export", ...tokens], {
    stdout: { write: (text) => (seen.stdout += text) },
    stderr: { write: (text) => (seen.stderr += text) },
    stdin: (async function* () {})(),
    env: {},
    cwd,
    signal: new AbortController().signal,
    version: "0.0.0",
  });
  return { code, ...seen };
}

function layOut(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const files = JSON.parse(readFileSync(join(GOLDEN, "sound.json"), "utf8")) as Record<string, string>;
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(folder, name), Buffer.from(text, "latin1"));
}

test("pairs of 2022 are exported by way of a dataset in the workspace, made once", async () => {
  await inFolder(async (cwd) => {
    mkdirSync(join(cwd, ".codefudge"));
    layOut(join(cwd, "old"));
    const first = await run(cwd, "old", "--form", "messages", "--format", "diff");
    assert.equal(first.code, 0, first.stderr);
    assert.match(
      first.stderr,
      /old has the form pairs; a dataset is made of it in .*imported-old-[0-9a-f]{8}\n/,
    );
    assert.match(first.stderr, /22 of 22 records are examples\n/);
    assert.match(
      first.stdout,
      /^form {6}messages \(diff\)\nexamples {2}\d+ train, \d+ validation, \d+ test\n/,
    );
    const lines = readFileSync(join(cwd, ".codefudge/export/messages/train.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
    assert.match(
      lines[0]!,
      /"content":"diff --git a\/a\.txt b\/a\.txt\\nnew file mode 100644\\n--- \/dev\/null/,
    );
    const second = await run(cwd, "old", "-o", "new", "--json", "--form=parquet");
    assert.doesNotMatch(second.stderr, /has the form/, "made already");
    const { examples } = JSON.parse(second.stdout) as { examples: Record<string, number> };
    assert.equal(examples.train! + examples.validation! + examples.test!, 22);
    assert.ok(existsSync(join(cwd, "new/train.parquet")));
    utimesSync(join(cwd, "old/00000-00000.file"), 1, 1);
    assert.match((await run(cwd, "old", "-o", "new")).stderr, /has the form/, "changed since");
    assert.ok(!readdirSync(join(cwd, "new")).some((name) => name.startsWith(".") || name === "lock"));
  });
});

test("what is wrong is said in one sentence", async () => {
  await inFolder(async (cwd) => {
    layOut(join(cwd, "old"));
    const cases: [string[], number, RegExp][] = [
      [["nowhere"], 1, /Expected a dataset in .*nowhere, found no manifest\.json/],
      [["old", "-o", "old"], 2, /Expected --output to be another folder than the dataset/],
      [["old", "-o", "."], 1, /Expected a new or empty folder .*, found .*old/],
      [
        ["old", "--form", "xml"],
        2,
        /Expected one of parquet, prompt-completion, messages, pairs, json2022 for --form/,
      ],
    ];
    for (const [tokens, code, wanted] of cases) {
      const outcome = await run(cwd, ...tokens);
      assert.match(outcome.stderr, wanted);
      assert.equal(outcome.code, code);
    }
  });
});
