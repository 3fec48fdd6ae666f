// `trainer_state.json` as Hugging Face's TrainerState loads it (transformers:src/transformers/trainer_callback.py):
// its loader takes exactly the fields of the class, one more would be refused. It is told from a run's progress; a run
// goes on from its own state, never from this.

import type { Resolved } from "./options.ts";
import { windowSize } from "./order.ts";
import { bestOf, type Progress } from "./progress.ts";

type Facts = {
  readonly options: Resolved;
  /** Training examples. */
  readonly sequences: number;
  /** Steps in all, as far as they are known. */
  readonly max_steps: number | null;
  readonly eval_steps: number | null;
  readonly finished: boolean;
};

/** The fields, keys sorted as Hugging Face writes them. */
export function trainerState(progress: Progress, facts: Facts): Record<string, unknown> {
  const { options, sequences } = facts;
  const best = bestOf(progress.evaluations);
  const max_steps = facts.max_steps ?? progress.step;
  const epochOf = (step: number) => (step * windowSize(options)) / sequences;
  const fields = {
    best_global_step: best?.step ?? null,
    best_metric: best?.loss ?? null,
    best_model_checkpoint: best ? `checkpoint-${best.step}` : null,
    epoch: epochOf(progress.step),
    eval_steps: facts.eval_steps ?? 0,
    global_step: progress.step,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: [...history(progress, epochOf), ...(facts.finished ? [summary(progress, facts)] : [])],
    logging_steps: 1,
    max_steps,
    num_input_tokens_seen: progress.tokens,
    num_train_epochs: Math.ceil(epochOf(max_steps)),
    save_steps: options.save_steps,
    stateful_callbacks: {},
    total_flos: 0,
    train_batch_size: options.per_device_train_batch_size,
    trial_name: null,
    trial_params: null,
  };
  return fields;
}

type Row = { readonly step: number };

function history(progress: Progress, epochOf: (step: number) => number): Row[] {
  const steps = progress.losses.map((loss, i) => ({
    epoch: epochOf(i + 1),
    grad_norm: progress.grad_norms[i]!,
    learning_rate: progress.learning_rates[i]!,
    loss,
    step: i + 1,
  }));
  const evaluations = progress.evaluations.map(({ step, loss, older }) => ({
    epoch: epochOf(step),
    eval_loss: loss,
    ...(older === undefined ? {} : { eval_older_loss: older }),
    step,
  }));
  return [...steps, ...evaluations].sort((a, b) => a.step - b.step);
}

function summary(progress: Progress, { options, sequences }: Facts): Row {
  const { step, seconds, losses } = progress;
  const size = windowSize(options);
  return {
    epoch: (step * size) / sequences,
    step,
    total_flos: 0,
    train_loss: losses.reduce((sum, loss) => sum + loss, 0) / Math.max(1, losses.length),
    train_runtime: seconds,
    train_samples_per_second: (step * size) / seconds,
    train_steps_per_second: step / seconds,
  } as Row;
}
