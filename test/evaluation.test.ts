// An evaluation that is interrupted keeps what it has measured, says so, and goes on to the report that it would have
// given at once.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createWorkshop, type Outcome, run, type Workshop } from "./tiny.ts";

const TRAIN = ["--max_length", "256", "--max_steps", "2", "--per_device_train_batch_size", "4"];
const EVALUATE = ["evaluate", "--likelihoods", "4", "--samples", "2", "--max_new_tokens", "8"];

let shop: Workshop;

before(async () => {
  shop = await createWorkshop();
  const made = await run(["train", "--model", shop.model, ...TRAIN], { cwd: shop.repository });
  assert.equal(made.code, 0, made.stderr);
});

after(() => shop.dispose());

function pathOf(name: string): string {
  return join(shop.repository, ".codefudge/runs/tiny", name);
}

/** Evaluates, and presses Ctrl-C when a line on stderr matches. */
function evaluateUntil(pattern: RegExp): Promise<Outcome> {
  const stop = new AbortController();
  let seen = "";
  const stderr = {
    write: (text: string) => {
      seen += text;
      if (pattern.test(seen)) stop.abort();
    },
    isTTY: true,
  };
  return run(EVALUATE, { cwd: shop.repository, signal: stop.signal, stderr }).then((outcome) => ({
    ...outcome,
    stderr: seen,
  }));
}

/** What a report says, without the clock. */
function reportOf(): unknown {
  const text = readFileSync(pathOf("report.json"), "utf8");
  return JSON.parse(text, (key, value: unknown) => (key === "seconds" ? null : value));
}

test("interrupted twice, it ends with the report of one that was not", async () => {
  const calm = await run(EVALUATE, { cwd: shop.repository });
  assert.equal(calm.code, 0, calm.stderr);
  const wanted = reportOf();
  assert.ok(!existsSync(pathOf("evaluation.json")));
  assert.match(
    calm.stdout,
    /^Measured: 4 of \d+ requests \(\d+ show a window of a long file\), 2 written out, in at most /m,
  );

  const first = await evaluateUntil(/untrained: likelihood 1\/4/);
  assert.equal(first.code, 130, first.stderr);
  assert.match(first.stderr, /Stopping after the current example; what is measured so far is kept/);
  assert.ok(existsSync(pathOf("evaluation.json")));

  const second = await evaluateUntil(/untrained: write 1\/2/);
  assert.equal(second.code, 130, second.stderr);
  assert.match(second.stderr, /Going on: \d+ of 12 figures are there/);

  const last = await run(EVALUATE, { cwd: shop.repository });
  assert.equal(last.code, 0, last.stderr);
  assert.match(last.stderr, /Going on: [5-9] of 12 figures are there/);
  assert.deepEqual(reportOf(), wanted);
  assert.ok(!existsSync(pathOf("evaluation.json")));
});

test("suggest and forward say in JSON what came of it, changed or not", async () => {
  const asked = ["--json", "--max_new_tokens", "4"];
  const suggested = await run(["suggest", "-m", "Bump version", "package.json", "README.md", ...asked], {
    cwd: shop.repository,
  });
  const stdin = (async function* () {
    yield Buffer.from("Bump version\n<pad>a.txt<pad>\n\nversion 1\n");
  })();
  const forwarded = await run(["forward", ...asked], { cwd: shop.repository, stdin });
  for (const { code, stdout, stderr } of [suggested, forwarded]) {
    assert.ok(code === 0 || code === 3, stderr);
    for (const line of stdout.trimEnd().split("\n")) {
      const found = JSON.parse(line) as { diff?: string; reason?: string };
      assert.equal(typeof (found.diff ?? found.reason), "string", line);
    }
  }
  assert.equal((JSON.parse(forwarded.stdout) as { path: string }).path, "a.txt");
  const help = await run(["forward", "--help"]);
  assert.match(help.stdout, /^Form of a \.file\n[\s\S]*^ {4}<pad>config\.yaml<pad>$/m);
});
