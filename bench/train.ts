// One training step, whole: embedding, blocks, head, loss, gradients, clipping, AdamW. Random weights, since speed does
// not depend on them. Ours against PyTorch with PEFT, which also computes logits only where there are targets.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { OptionTable, Values } from "../src/base/options.ts";
import { compare, explainMissingPeer, ourSide, peerModes } from "./arms.ts";
import type { Bench, BenchResult, BenchSetup } from "./measure.ts";

const shapes = readdirSync(join(import.meta.dirname, "shapes")).map((file) => file.replace(".json", ""));

const trainBenchOptions = {
  shape: { type: "string", default: "smollm2-135m", choices: shapes, help: "Shape of the model" },
  length: { type: "integer", default: 512, help: "Tokens of the one sequence of a step", value: "N" },
  targets: { type: "integer", default: 64, help: "The last tokens that are trained on", value: "N" },
  steps: { type: "integer", default: 3, help: "Measured steps of a run, after one to warm up", value: "N" },
  threads: { type: "integer", default: 2, help: "Threads of both sides", value: "N" },
  compute: { type: "string", default: "int8", choices: ["f32", "int8"], help: "Our frozen products" },
  keeping: {
    type: "string",
    default: "all",
    choices: ["nothing", "linear", "all"],
    help: "What our forward passes keep",
  },
} as const satisfies OptionTable;

const MODES = ["f32", "f32 checkpointing", "bf16 autocast", "bf16 autocast checkpointing"];

export const bench: Bench = {
  name: "train",
  summary: "tokens/s of LoRA r 8 on all linear layers, f32, against the fastest mode of PyTorch with PEFT",
  options: trainBenchOptions,
  takes: null,
  runs: 5,
  run: runTrain,
};

function runTrain(setup: BenchSetup): Promise<BenchResult> {
  const { venv, log } = setup;
  const work = setup.values as Values<typeof trainBenchOptions>;
  const { shape, length, targets, steps, threads, compute, keeping } = work;
  const job = { shape, length, targets, steps, threads, compute, keeping };
  if (venv === null) log(explainMissingPeer("train"));
  const peer = venv === null ? null : { name: "PyTorch + PEFT", modes: modesOf(venv, job) };
  return compare({ figure: "tokens_per_second", unit: "tokens/s", ours: ourSide("train", job), peer }, setup);
}

function modesOf(venv: string, job: object) {
  return peerModes(venv, "train", { ...job, modes: MODES });
}
