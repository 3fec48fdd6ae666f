// The optimizers as a table: by the names that Hugging Face's `optim` has, how each begins and steps.

import type { OptionTable } from "../base/options.ts";
import { type AdafactorConfig, adafactorOptions, createAdafactor, stepAdafactor } from "./adafactor.ts";
import { type AdamwConfig, adamwOptions, createAdamw, stepAdamw } from "./adamw.ts";
import type { OptimizerState, Trained } from "./trained.ts";

type Arrays = ReadonlyMap<string, Trained>;

/** What every optimizer needs of a run's options, and of the step: its rate, and what gradients are multiplied with. */
export type StepOptions = AdamwConfig &
  AdafactorConfig & { readonly learning_rate: number; readonly scale: number };

export type Optimizer = {
  readonly create: (trained: Arrays) => OptimizerState;
  readonly step: (state: OptimizerState, trained: Arrays, options: StepOptions) => void;
};

export const optimizers = {
  adamw_torch: { create: createAdamw, step: stepAdamw },
  adafactor: { create: (trained) => createAdafactor(trained), step: stepAdafactor },
} as const satisfies Readonly<Record<string, Optimizer>>;

export type OptimizerName = keyof typeof optimizers;

export const optimizerOptions = {
  optim: {
    type: "string",
    default: "adamw_torch",
    choices: Object.keys(optimizers),
    help: "Optimizer; adafactor keeps less of each matrix",
    value: "NAME",
  },
  ...adamwOptions,
  ...adafactorOptions,
} as const satisfies OptionTable;
