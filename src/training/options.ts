// Options of training, by the names of Hugging Face's TrainingArguments where one exists. A default of null means that
// nothing is set; where it depends on what is trained, an adapter or a whole model, `resolveOptions` fills it in.

import type { OptionTable, Values } from "../base/options.ts";
import { optimizerOptions } from "./optimizer.ts";
import { scheduleNames } from "./schedule.ts";

/** How much is done, how large, at what rate. */
const scaleOptions = {
  learning_rate: {
    type: "number",
    default: null,
    help: "Peak learning rate",
    unset: "1e-3, for every weight 2e-3; to continue a run a quarter of that",
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
    unset:
      "by their number: 8 below 200, then 5, 3 from 1,000, 2 from 5,000, 1 from 15,000; for every weight 30 to 4",
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
    help: "Tokens of prompt and answer together at most; longer files are shown as windows",
    unset: "max_in_len and max_out_len, else what memory allows, 512 at most",
    value: "N",
    least: 16,
  },
  max_in_len: {
    type: "integer",
    default: null,
    help: "Tokens of the prompt at most",
    unset: "three quarters of max_length, or what max_out_len leaves of it",
    value: "N",
    least: 16,
  },
  max_out_len: {
    type: "integer",
    default: null,
    help: "Tokens of the answer at most; longer ones are left out",
    unset: "what the prompt leaves of max_length",
    value: "N",
    least: 2,
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
  label_smoothing_factor: {
    type: "number",
    default: 0,
    help: "Share of each target that is spread over the vocabulary",
    value: "X",
    least: 0,
  },
} as const satisfies OptionTable;

/** How the held-out loss is watched, and what is kept. */
const watchOptions = {
  eval_strategy: {
    type: "string",
    default: "steps",
    choices: ["steps", "epoch", "no"],
    help: "When held-out loss is measured",
    value: "NAME",
  },
  eval_steps: {
    type: "integer",
    default: null,
    help: "Steps between validations",
    unset: "5 to 20 validations in a run, in at most a twentieth of its time",
    value: "N",
    least: 1,
  },
  max_eval_samples: {
    type: "integer",
    default: null,
    help: "Held-out examples of a validation",
    unset: "as many as that time allows, 4 to 64",
    value: "N",
    least: 1,
  },
  early_stopping_patience: {
    type: "integer",
    default: null,
    help: "Stop after so many validations without a new best; 0 never stops",
    unset: "5, for every weight 0",
    value: "N",
    least: 0,
  },
  load_best_model_at_end: {
    type: "boolean",
    default: true,
    help: "End with what was best on held-out examples, not with the last step",
  },
  save_steps: { type: "integer", default: 50, help: "Steps between checkpoints", value: "N", least: 1 },
  save_total_limit: {
    type: "integer",
    default: null,
    help: "Newest checkpoints to keep, beside the best, also when the run has ended",
    unset: "1 while it trains, none afterwards",
    value: "N",
    least: 1,
  },
  report_to: {
    type: "string",
    default: "tensorboard",
    choices: ["tensorboard", "none"],
    help: "Event files of the run, in its folder runs",
    value: "NAME",
  },
} as const satisfies OptionTable;

/** The options of training. */
export const trainOptions = {
  ...scaleOptions,
  ...optimizerOptions,
  ...watchOptions,
  seed: { type: "integer", default: 42, help: "Seed of order, dropout and initial weights", value: "N" },
  compute: {
    type: "string",
    default: null,
    choices: ["f32", "int8"],
    help: "Products of frozen weights, while training: on eight-bit integers where a check on a few examples passes",
    unset: "int8 for an adapter on a base of 50 million weights or more, else f32",
    value: "NAME",
  },
  storage: {
    type: "string",
    default: "f32",
    choices: ["f32", "int8", "int4"],
    help: "Frozen weights of a decoder in memory, while training: in blocks of 32 with so many bits a weight",
    value: "NAME",
  },
  packing: {
    type: "boolean",
    default: null,
    help: "Several short examples in one sequence, each on its own: the same loss and gradient, sooner",
    unset: "where three of usual length fit into one of max_length",
  },
  explain_plan: {
    type: "boolean",
    default: false,
    help: "Say what was chosen to stay within memory, and why",
  },
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
  readonly early_stopping_patience: number;
};

const FALLBACK = {
  adapter: {
    learning_rate: 1e-3,
    per_device_train_batch_size: 1,
    gradient_accumulation_steps: 4,
    early_stopping_patience: 5,
  },
  // What starts from nothing learns to copy long after its held-out loss has first risen: no patience is right.
  all: {
    learning_rate: 2e-3,
    per_device_train_batch_size: 8,
    gradient_accumulation_steps: 1,
    early_stopping_patience: 0,
  },
} as const;

/** What continuing takes of the rate of a fresh start; 2022 took a fortieth, of a rate that fitted its optimizer. */
const CONTINUING = 0.25;

/** Fills in the defaults that differ between an adapter and all weights, a fresh start and one that continues a run. */
export function resolveOptions(
  options: TrainOptions,
  kind: "adapter" | "all",
  continues: boolean = false,
): Resolved {
  const fallback = FALLBACK[kind];
  const rate = fallback.learning_rate * (continues ? CONTINUING : 1);
  return {
    ...options,
    kind,
    max_length: options.max_length ?? lengthOf(options),
    learning_rate: options.learning_rate ?? rate,
    per_device_train_batch_size: options.per_device_train_batch_size ?? fallback.per_device_train_batch_size,
    gradient_accumulation_steps: options.gradient_accumulation_steps ?? fallback.gradient_accumulation_steps,
    early_stopping_patience: options.early_stopping_patience ?? fallback.early_stopping_patience,
  };
}

/** Prompt and answer together, where the prompt's length was said; without the answer's it is three quarters. */
function lengthOf({ max_in_len, max_out_len }: TrainOptions): number | null {
  return max_in_len === null ? null : max_in_len + (max_out_len ?? Math.ceil(max_in_len / 3));
}

/** Passes by number of examples, as [below, passes]. */
const PASSES = {
  adapter: [
    [200, 8],
    [1000, 5],
    [5000, 3],
    [15000, 2],
    [Infinity, 1],
  ],
  all: [
    [1000, 30],
    [5000, 10],
    [Infinity, 4],
  ],
} as const;

/**
 * Passes when nothing is said. Refact's self-hosted tuning takes 50 below 1,000 documents and 3 above 30,000, but 128
 * documents a step: 200 to 1,600 steps. With our 4 examples a step the same steps are fewer passes.
 */
export function epochsOf(kind: "adapter" | "all", examples: number): number {
  return PASSES[kind].find(([below]) => examples < below)![1];
}
