// What is told of runs in every state that a folder can be in.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createAdamw } from "../../training/adamw.ts";
import { writeCheckpoint } from "../../training/checkpoint.ts";
import { createProgress } from "../../training/progress.ts";
import { withLock } from "../lock.ts";
import { type RunPlan, writePlan, writeRun } from "../run-folder.ts";
import { describeRow, listRuns, tellRun } from "./runs.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-runs-"));
after(() => rmSync(root, { recursive: true }));
const runs = join(root, ".codefudge", "runs");

const plan: RunPlan = {
  version: 1,
  kind: "all",
  format: "region",
  base: join(root, "small"),
  base_sha256: "0123456789abcdef",
  dataset: join(root, ".codefudge", "dataset"),
  dataset_sha256: "fedcba9876543210",
  identity: "one",
  adapter: null,
  continues: null,
  options: { max_steps: 5, time: null },
};

function stoppedRun(name: string, started: number): string {
  const folder = join(runs, name);
  mkdirSync(folder, { recursive: true });
  writePlan(folder, plan);
  const evaluations = [
    { step: 0, loss: 4 },
    { step: 2, loss: 2.25 },
  ];
  const progress = { ...createProgress("one", started), step: 3, losses: [3, 2, 1], evaluations };
  writeCheckpoint(folder, progress, { trained: new Map(), optimizer: createAdamw(new Map()) });
  return folder;
}

test("finished, stopped, running, broken and begun runs, the newest first", async () => {
  assert.deepEqual(listRuns(runs), []);
  const finished = stoppedRun("done", 1000);
  writeRun(finished, {
    ...plan,
    max_length: 256,
    examples: { train: 10, validation: 2, too_long: 1, old: 0 },
    progress: {
      ...{ step: 5, tokens: 1, targets: 1, seconds: 61, started: 1000, first_loss: 3, last_loss: 1 },
      ...{ base_loss: 4, best: { step: 4, loss: 1.5 }, reason: "steps" },
    },
  });
  stoppedRun("stopped", 2000);
  const busy = stoppedRun("busy", 3000);
  mkdirSync(join(runs, "begun"));
  writePlan(join(runs, "begun"), plan);
  mkdirSync(join(runs, "broken"));
  writeFileSync(join(runs, "broken", "run.json"), "{");
  mkdirSync(join(runs, "empty"));
  await withLock(busy, "", async () => {
    const rows = listRuns(runs).map(({ run, state, step, best_loss }) => [run, state, step, best_loss]);
    assert.deepEqual(rows.slice(0, 2).sort(), [
      ["begun", "stopped", 0, null],
      ["broken", "broken", null, null],
    ]);
    assert.deepEqual(rows.slice(2), [
      ["busy", "running", 3, 2.25],
      ["stopped", "stopped", 3, 2.25],
      ["done", "finished", 5, 1.5],
    ]);
  });
  assert.equal(listRuns(runs).find(({ run }) => run === "busy")!.state, "stopped");
});

test("a row has its size and when it began", () => {
  const [row] = listRuns(runs).filter(({ run }) => run === "done");
  const [name, state, trained, steps, held, size, begun] = describeRow(row!);
  assert.deepEqual(
    [name, state, trained, steps, held, begun],
    ["done", "finished", "every weight (model folder)", "5", "1.500", "1970-01-01 00:16"],
  );
  assert.match(size!, /^[\d.]+ kB$/);
});

test("a run whole: paths as they are now, the curve so far, the options that were given", () => {
  const { lines, json } = tellRun(join(runs, "stopped"));
  const text = lines.join("\n");
  assert.match(text, /^state +stopped$/m);
  assert.ok(text.includes(`${join(root, ".codefudge", "dataset")} (fedcba987654)`));
  assert.match(text, /^loss {6}3\.000 █▅▁ 1\.000$/m);
  assert.match(text, /^held-out {2}4\.000 █▁ 2\.250$/m);
  assert.match(text, /^--max_steps +5$/m);
  assert.doesNotMatch(text, /--time/);
  assert.deepEqual((json as { curve: unknown }).curve, { losses: [3, 2, 1], held: [4, 2.25] });
});
