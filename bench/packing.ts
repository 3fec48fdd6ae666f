// Training on the examples of a real dataset: several in one row, against a row for each and against batches padded to
// their longest. The same windows of an optimizer step, the same loss.

import { resolve } from "node:path";
import { UsageError } from "../src/base/errors.ts";
import type { OptionTable, Values } from "../src/base/options.ts";
import { compare, ourSide } from "./arms.ts";
import type { Bench, BenchResult, BenchSetup } from "./measure.ts";

const packingOptions = {
  model: { type: "string", default: null, help: "Model folder or .gguf file", value: "PATH" },
  length: { type: "integer", default: 160, help: "Tokens of an example at most", value: "N" },
  row: { type: "integer", default: 512, help: "Tokens of a row that several share", value: "N" },
  window: { type: "integer", default: 4, help: "Examples of an optimizer step", value: "N" },
  steps: { type: "integer", default: 6, help: "Measured steps, after two to warm up", value: "N" },
  threads: { type: "integer", default: 2, help: "Threads", value: "N" },
  compute: { type: "string", default: "int8", choices: ["f32", "int8"], help: "Frozen products" },
  memory: { type: "bytes", default: 1.6e9, help: "Budget" },
} as const satisfies OptionTable;

export const bench: Bench = {
  name: "packing",
  summary: "tokens/s of several examples in one row, against one by one and padded batches",
  options: packingOptions,
  takes: "DATASET",
  runs: 3,
  run: runPacking,
};

async function runPacking(setup: BenchSetup): Promise<BenchResult> {
  const { model, ...rest } = setup.values as Values<typeof packingOptions>;
  const [dataset, ...more] = setup.places;
  if (model === null || dataset === undefined || more.length > 0) {
    throw new UsageError("Expected --model PATH and one folder that codefudge history made, found others");
  }
  const { length, row, window, steps, threads, compute, memory } = rest;
  const job = {
    model: resolve(model),
    dataset: resolve(dataset),
    length,
    row,
    window,
    steps,
    threads,
    compute,
    memory,
  };
  const side = (mode: string) => ourSide("packing", { ...job, mode });
  const peer = {
    name: "without packing",
    modes: { alone: side("alone"), padded: side("padded") },
    packages: [],
  };
  const work = `examples of at most ${length} tokens in rows of ${row}`;
  return compare({ figure: "tokens_per_second", unit: "tokens/s", work, ours: side("packed"), peer }, setup);
}
