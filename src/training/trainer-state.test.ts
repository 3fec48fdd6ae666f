// trainer_state.json has exactly the fields of transformers' TrainerState (5.23 and 4.57 agree on them): its loader
// hands each key to the class, and one more raises. test/reference/trainer-state.test.ts loads one there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultsOf } from "../base/options.ts";
import { resolveOptions, trainOptions } from "./options.ts";
import { createProgress } from "./progress.ts";
import { trainerState } from "./trainer-state.ts";

const FIELDS = [
  ...["best_global_step", "best_metric", "best_model_checkpoint", "epoch", "eval_steps", "global_step"],
  ...["is_hyper_param_search", "is_local_process_zero", "is_world_process_zero", "log_history"],
  ...["logging_steps", "max_steps", "num_input_tokens_seen", "num_train_epochs", "save_steps"],
  ...["stateful_callbacks", "total_flos", "train_batch_size", "trial_name", "trial_params"],
];

const options = resolveOptions(defaultsOf(trainOptions), "adapter");
const progress = {
  ...createProgress("one", 0),
  ...{ step: 2, tokens: 30, seconds: 4, losses: [3, 2], grad_norms: [1, 1], learning_rates: [0, 1e-3] },
  times: [2, 4],
  evaluations: [
    { step: 0, loss: 5 },
    { step: 2, loss: 4 },
  ],
};

test("the fields, sorted, and rows in order of steps", () => {
  const facts = { options, sequences: 16, max_steps: 8, eval_steps: 2, finished: false };
  const state = trainerState(progress, facts);
  assert.deepEqual(Object.keys(state), FIELDS);
  assert.deepEqual(state.log_history, [
    { epoch: 0, eval_loss: 5, step: 0 },
    { epoch: 0.25, grad_norm: 1, learning_rate: 0, loss: 3, step: 1 },
    { epoch: 0.5, grad_norm: 1, learning_rate: 1e-3, loss: 2, step: 2 },
    { epoch: 0.5, eval_loss: 4, step: 2 },
  ]);
  const { best_global_step, best_metric, max_steps, num_train_epochs } = state;
  assert.deepEqual([best_global_step, best_metric, max_steps, num_train_epochs], [2, 4, 8, 2]);
  assert.doesNotMatch(JSON.stringify(state), /undefined/);
});

test("a run that has ended has Hugging Face's last row; one by the clock ends at its step", () => {
  const facts = { options, sequences: 16, max_steps: null, eval_steps: null, finished: true };
  const state = trainerState(progress, facts);
  const rows = state.log_history as Record<string, number>[];
  assert.deepEqual(rows.at(-1), {
    ...{ epoch: 0.5, step: 2, total_flos: 0, train_loss: 2.5, train_runtime: 4 },
    ...{ train_samples_per_second: 2, train_steps_per_second: 0.5 },
  });
  assert.equal(state.max_steps, 2);
});
