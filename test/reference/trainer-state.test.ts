// The trainer_state.json of a run, loaded by transformers' own TrainerState, whose loader refuses a field too many.
// Needs Python: CODEFUDGE_VENV names an environment with transformers.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createWorkshop, run } from "../tiny.ts";

const venv = process.env.CODEFUDGE_VENV;

const LOAD = `
import json, sys
from transformers import TrainerState
for path in sys.argv[1:]:
    state = TrainerState.load_from_json(path)
    print(json.dumps([state.global_step, state.max_steps, state.best_metric, len(state.log_history)]))
`;

test("transformers loads the state of a run that has ended, and of a checkpoint", {
  skip: venv === undefined && "CODEFUDGE_VENV is not set",
}, async () => {
  const shop = await createWorkshop(40);
  const pace = ["--max_steps", "4", "--save_steps", "2", "--eval_steps", "2", "--save_total_limit", "2"];
  const what = ["--model", shop.model, "--max_length", "256", "--threads", "1", "--run", "told"];
  const { code, stderr } = await run(["train", ...what, ...pace], { cwd: shop.repository });
  assert.equal(code, 0, stderr);
  const folder = join(shop.repository, ".codefudge/runs/told");
  const paths = ["trainer_state.json", "checkpoint-2/trainer_state.json"].map((name) => join(folder, name));
  const printed = execFileSync(join(venv!, "bin/python"), ["-c", LOAD, ...paths], { encoding: "utf8" });
  const [ended, stopped] = printed
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const best = JSON.parse(readFileSync(join(folder, "run.json"), "utf8")).progress.best.loss;
  // Four steps, held-out loss before the first and after two, and a last row about the whole.
  assert.deepEqual(ended, [4, 4, best, 8]);
  assert.deepEqual([stopped[0], stopped[1]], [2, 4]);
  shop.dispose();
});
