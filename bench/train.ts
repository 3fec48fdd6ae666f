// One training step, whole: embedding, blocks, head, loss, gradients, clipping, AdamW. Random weights, since speed does
// not depend on them. Ours against PyTorch with PEFT, which also computes logits only where there are targets.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../src/base/errors.ts";
import type { OptionTable, Values } from "../src/base/options.ts";
import { compare, explainMissingPeer, ourSide, peerModes } from "./arms.ts";
import type { Bench, BenchResult, BenchSetup } from "./measure.ts";

const shapes = readdirSync(join(import.meta.dirname, "shapes")).map((file) => file.replace(".json", ""));

/** Options of a training bench, with its own defaults. */
export function trainOptions(defaults: { shape: string; length: number; memory: number; steps: number }) {
  return {
    shape: { type: "string", default: defaults.shape, choices: shapes, help: "Shape of the model" },
    length: {
      type: "integer",
      default: defaults.length,
      help: "Tokens of the one sequence of a step",
      value: "N",
    },
    targets: { type: "integer", default: 64, help: "The last tokens that are trained on", value: "N" },
    steps: {
      type: "integer",
      default: defaults.steps,
      help: "Measured steps, after one to warm up",
      value: "N",
    },
    threads: { type: "integer", default: 2, help: "Threads of both sides", value: "N" },
    compute: { type: "string", default: "int8", choices: ["f32", "int8"], help: "Our frozen products" },
    storage: {
      type: "string",
      default: "f32",
      choices: ["f32", "int8", "int4"],
      help: "Our frozen weights where products are f32",
    },
    memory: { type: "bytes", default: defaults.memory, help: "Our budget" },
    modes: {
      type: "string",
      default: null,
      help: "Modes of the peer that are tried",
      unset: "all",
      value: "A,B",
    },
  } as const satisfies OptionTable;
}

type Work = Values<ReturnType<typeof trainOptions>>;

const MODES = ["f32", "bf16 autocast", "bf16 weights"].flatMap((name) => [name, `${name} checkpointing`]);

export const bench: Bench = {
  name: "train",
  summary: "tokens/s of LoRA r 8 on all linear layers, against the fastest mode of PyTorch with PEFT",
  options: trainOptions({ shape: "smollm2-135m", length: 512, memory: 1.6e9, steps: 8 }),
  takes: null,
  runs: 5,
  run: runTrain,
};

/** Measures a training step of ours and, where there is an environment, of the peer's modes. */
export function runTrain(setup: BenchSetup): Promise<BenchResult> {
  const { venv, log } = setup;
  const job = jobOf(setup);
  if (venv === null) log(explainMissingPeer("train"));
  const modes = venv === null ? null : peerModes(venv, "train", { ...job, modes: modesOf(setup) });
  const peer = modes && { name: "PyTorch + PEFT", modes, packages: ["torch", "transformers", "peft"] };
  const work = `${job.shape}, ${job.length} tokens`;
  return compare(
    { figure: "tokens_per_second", unit: "tokens/s", work, ours: ourSide("train", job), peer },
    setup,
  );
}

function modesOf({ values }: BenchSetup): readonly string[] {
  const given = (values as Work).modes?.split(",") ?? MODES;
  const unknown = given.find((mode) => !MODES.includes(mode));
  if (unknown === undefined) return given;
  throw new UsageError(`Expected modes out of ${MODES.join(", ")}, found "${unknown}"`);
}

/** What a process of either side is told. */
export function jobOf({ values }: BenchSetup): Omit<Work, "modes"> {
  const { shape, length, targets, steps, threads, compute, storage, memory } = values as Work;
  return { shape, length, targets, steps, threads, compute, storage, memory };
}
