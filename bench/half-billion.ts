// The training step of bench `train` on a model of half a billion weights, within 2 GB.

import type { Bench } from "./measure.ts";
import { runTrain, trainOptions } from "./train.ts";

export const bench: Bench = {
  name: "half-billion",
  summary: "the same in the shape of Qwen2.5-0.5B",
  options: trainOptions({ shape: "qwen2.5-0.5b", length: 512, memory: 2e9, steps: 2 }),
  takes: null,
  runs: 5,
  run: runTrain,
};
