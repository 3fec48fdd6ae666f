import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { runCli } from "../run.ts";

async function doctor(...tokens: string[]): Promise<{ code: number; stdout: string }> {
  let stdout = "";
  const code = await runCli(["doctor", ...tokens], {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: () => {} },
    stdin: (async function* () {})(),
    env: { HF_HOME: "/models" },
    cwd: tmpdir(),
    signal: new AbortController().signal,
    version: "1.2.3",
  });
  return { code, stdout };
}

test("doctor names every part, and finds this machine fit for its tests", async () => {
  const { code, stdout } = await doctor();
  assert.equal(code, 0, stdout);
  const names = stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split("  ")[0]);
  assert.deepEqual(names, [
    ...["codefudge", "node", "platform", "processor", "memory"],
    ...["onnxruntime", "tokenizers", "git", "runs", "model cache"],
  ]);
  assert.match(stdout, /^onnxruntime {2}\d+\.\d+\.\d+: cpu/m);
  assert.match(stdout, /^model cache {2}\/models\/hub /m);
});

test("doctor --json is one object on one line", async () => {
  const { stdout } = await doctor("--json");
  assert.equal(stdout.indexOf("\n"), stdout.length - 1);
  const facts = JSON.parse(stdout) as Record<string, { ok: boolean; value: string }>;
  assert.deepEqual(facts.node, { ok: true, value: process.versions.node });
});

test("the help of doctor", async () => {
  assert.equal(
    (await doctor("--help")).stdout,
    `Shows whether this machine has what is needed, to paste into a report of a problem.

Usage
  codefudge doctor [options]

Every command
  --json       Results as JSON, one object a line
  -q, --quiet  No progress on stderr
  -h, --help   This text

Examples
  codefudge doctor
      Everything, one line each; exit code 1 when something needed is missing
  codefudge doctor --json
      The same as one JSON object
`,
  );
});
