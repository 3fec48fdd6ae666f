// The training step of bench `train` on a long sequence, within a budget that holds no attention of its square.

import type { Bench } from "./measure.ts";
import { runTrain, trainOptions } from "./train.ts";

export const bench: Bench = {
  name: "long",
  summary: "the same at 2,048 tokens; --length 8192 for more",
  options: trainOptions({ shape: "smollm2-135m", length: 2048, memory: 1.2e9, steps: 2 }),
  takes: null,
  runs: 5,
  run: runTrain,
};
