// What is to be trained, on what, and where it goes: a training run as a person asked for it.

import type { LoraOptions } from "../../adapters/lora.ts";
import type { FormatName } from "../../dataset/format.ts";
import type { TrainOptions } from "../../training/options.ts";

export type TrainJob = {
  readonly dataset: string;
  readonly run: string;
  readonly model: string;
  readonly format: FormatName;
  readonly method: "lora" | "full";
  readonly lora: LoraOptions;
  readonly options: TrainOptions;
  readonly restart: boolean;
};
