// Options of training, by the names of Hugging Face's TrainingArguments where one exists. A default of null depends
// on whether an adapter or a whole model is trained; `resolveOptions` fills it in.

import type { OptionTable, Values } from "../base/options.ts";
import { adamwOptions } from "./adamw.ts";
import { scheduleNames } from "./schedule.ts";

export const trainOptions = {
  learning_rate: {
    type: "number",
    default: null,
    help: "Peak learning rate [3e-4; scratch: 2e-3]",
    value: "X",
  },
  lr_scheduler_type: {
    type: "string",
    default: "cosine",
    choices: scheduleNames,
    help: "Shape of the schedule",
  },
  warmup_steps: {
    type: "number",
    default: 0.05,
    help: "Steps of warm-up, or a share of all below 1",
    value: "N",
  },
  num_train_epochs: { type: "number", default: 3, help: "Passes over the training examples", value: "X" },
  max_steps: { type: "integer", default: -1, help: "Optimizer steps in all; overrides epochs", value: "N" },
  time: {
    type: "duration",
    default: null,
    help: "Train this long; the schedule fits the clock",
    value: "20m",
  },
  memory: { type: "bytes", default: null, help: "Stay under this much resident memory", value: "2GB" },
  max_length: {
    type: "integer",
    default: null,
    help: "Leave out examples of more tokens [what memory allows, 1024]",
    value: "N",
  },
  per_device_train_batch_size: {
    type: "integer",
    default: null,
    help: "Sequences a program run [1; scratch: 8]",
    value: "N",
  },
  gradient_accumulation_steps: {
    type: "integer",
    default: null,
    help: "Runs an optimizer step [4; scratch: 1]",
    value: "N",
  },
  max_grad_norm: { type: "number", default: 1, help: "Clip gradients to this norm; 0 does not", value: "X" },
  ...adamwOptions,
  eval_steps: {
    type: "integer",
    default: null,
    help: "Steps between validations [five in a run]",
    value: "N",
  },
  save_steps: { type: "integer", default: 50, help: "Steps between checkpoints", value: "N" },
  seed: { type: "integer", default: 42, help: "Seed of order and initial weights", value: "N" },
  threads: { type: "integer", default: 0, help: "Threads of an operator; 0 is one a core", value: "N" },
} as const satisfies OptionTable;

export type TrainOptions = Values<typeof trainOptions>;

/** Options with every default that depends on the kind of training filled in. */
export type Resolved = TrainOptions & {
  readonly learning_rate: number;
  readonly per_device_train_batch_size: number;
  readonly gradient_accumulation_steps: number;
};

export function resolveOptions(options: TrainOptions, kind: "adapter" | "all"): Resolved {
  const fallback =
    kind === "adapter"
      ? { learning_rate: 3e-4, per_device_train_batch_size: 1, gradient_accumulation_steps: 4 }
      : { learning_rate: 2e-3, per_device_train_batch_size: 8, gradient_accumulation_steps: 1 };
  return {
    ...options,
    learning_rate: options.learning_rate ?? fallback.learning_rate,
    per_device_train_batch_size: options.per_device_train_batch_size ?? fallback.per_device_train_batch_size,
    gradient_accumulation_steps: options.gradient_accumulation_steps ?? fallback.gradient_accumulation_steps,
  };
}
