// Options of training, by the names of Hugging Face's TrainingArguments where one exists. A default of null means that
// nothing is set; where it depends on what is trained, an adapter or a whole model, `resolveOptions` fills it in.

import type { OptionTable, Values } from "../base/options.ts";
import { adamwOptions } from "./adamw.ts";
import { scheduleNames } from "./schedule.ts";

/** The options of training. */
export const trainOptions = {
  learning_rate: {
    type: "number",
    default: null,
    help: "Peak learning rate",
    unset: "1e-3, for every weight 2e-3",
    value: "X",
    least: 0,
  },
  lr_scheduler_type: {
    type: "string",
    default: "cosine",
    choices: scheduleNames,
    help: "How the learning rate goes",
    value: "NAME",
  },
  warmup_steps: {
    type: "number",
    default: 0.05,
    help: "Steps of warm-up; below 1, a share of all steps",
    value: "N",
    least: 0,
  },
  num_train_epochs: {
    type: "number",
    default: null,
    help: "Passes over the training examples",
    unset: "3; for every weight 30, 10 from 1,000 examples, 4 from 5,000",
    value: "X",
    least: 0,
  },
  max_steps: {
    type: "integer",
    default: -1,
    help: "Optimizer steps in all, whatever the passes",
    unset: "as many as the passes take",
    value: "N",
    least: -1,
  },
  time: {
    type: "duration",
    default: null,
    help: "Train this long, such as 90s, 20m or 1.5h; the schedule fits the clock",
    unset: "as many steps as are to be done",
    least: 1,
  },
  memory: {
    type: "bytes",
    default: null,
    help: "Stay under this much memory, such as 800MB or 2GB",
    unset: "no limit",
    least: 1,
  },
  max_length: {
    type: "integer",
    default: null,
    help: "Leave out examples of more tokens",
    unset: "what memory allows, 1024 at most",
    value: "N",
    least: 16,
  },
  per_device_train_batch_size: {
    type: "integer",
    default: null,
    help: "Sequences that go through the model together",
    unset: "1, for every weight 8",
    value: "N",
    least: 1,
  },
  gradient_accumulation_steps: {
    type: "integer",
    default: null,
    help: "Batches of one optimizer step",
    unset: "4, for every weight 1",
    value: "N",
    least: 1,
  },
  max_grad_norm: {
    type: "number",
    default: 1,
    help: "Clip gradients to this norm; 0 clips none",
    value: "X",
    least: 0,
  },
  ...adamwOptions,
  eval_steps: {
    type: "integer",
    default: null,
    help: "Steps between validations",
    unset: "five validations in a run",
    value: "N",
    least: 1,
  },
  save_steps: { type: "integer", default: 50, help: "Steps between checkpoints", value: "N", least: 1 },
  seed: { type: "integer", default: 42, help: "Seed of order and initial weights", value: "N" },
  threads: {
    type: "integer",
    default: 0,
    help: "Processor threads",
    unset: "one a core",
    value: "N",
    least: 0,
  },
} as const satisfies OptionTable;

export type TrainOptions = Values<typeof trainOptions>;

/** Options with every default that depends on the kind of training filled in. */
export type Resolved = TrainOptions & {
  readonly kind: "adapter" | "all";
  readonly learning_rate: number;
  readonly per_device_train_batch_size: number;
  readonly gradient_accumulation_steps: number;
};

/** Fills in the defaults that differ between training an adapter and all weights. */
export function resolveOptions(options: TrainOptions, kind: "adapter" | "all"): Resolved {
  const fallback =
    kind === "adapter"
      ? { learning_rate: 1e-3, per_device_train_batch_size: 1, gradient_accumulation_steps: 4 }
      : { learning_rate: 2e-3, per_device_train_batch_size: 8, gradient_accumulation_steps: 1 };
  return {
    ...options,
    kind,
    learning_rate: options.learning_rate ?? fallback.learning_rate,
    per_device_train_batch_size: options.per_device_train_batch_size ?? fallback.per_device_train_batch_size,
    gradient_accumulation_steps: options.gradient_accumulation_steps ?? fallback.gradient_accumulation_steps,
  };
}

/** Passes when nothing is said: an adapter needs few, a model that starts from nothing more, the fewer examples it has. */
export function epochsOf(kind: "adapter" | "all", examples: number): number {
  if (kind === "adapter") return 3;
  if (examples < 1000) return 30;
  return examples < 5000 ? 10 : 4;
}
