// One training step of a model with an encoder and a decoder, whole: both embeddings, blocks, head, loss, gradients,
// clipping, AdamW. Random weights, since speed does not depend on them. Ours against PyTorch with adapters.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { OptionTable, Values } from "../src/base/options.ts";
import { compare, ourSide, peerModes } from "./arms.ts";
import type { Bench, BenchResult, BenchSetup } from "./measure.ts";

const shapes = readdirSync(join(import.meta.dirname, "pairs")).map((file) => file.replace(".json", ""));

const options = {
  shape: { type: "string", default: "t5-v1.1-base", choices: shapes, help: "Shape of the model" },
  length: { type: "integer", default: 512, help: "Tokens of the source", value: "N" },
  targets: { type: "integer", default: 128, help: "Tokens of the answer", value: "N" },
  steps: { type: "integer", default: 3, help: "Measured steps, after one to warm up", value: "N" },
  threads: { type: "integer", default: 2, help: "Threads of both sides", value: "N" },
  compute: { type: "string", default: "int8", choices: ["f32", "int8"], help: "Our frozen products" },
  memory: { type: "bytes", default: 1.5e9, help: "Our budget" },
} as const satisfies OptionTable;

const MODES = ["f32", "bf16 autocast", "bf16 weights"];

/** What adapters calls `pfeiffer+inv` today. */
const ADAPTER = "seq_bn_inv";

export const bench: Bench = {
  name: "seq2seq",
  summary: "tokens/s of pfeiffer+inv on a T5, against the fastest mode of PyTorch with adapters",
  options,
  takes: null,
  runs: 5,
  run: runSeq2seq,
};

async function runSeq2seq(setup: BenchSetup): Promise<BenchResult> {
  const { venv, log, values } = setup;
  const { shape, length, targets, steps, threads, compute, memory } = values as Values<typeof options>;
  const job = { shape, length, targets, steps, threads };
  if (venv === null) log(NO_PEER);
  const modes = venv === null ? null : peerModes(venv, "seq2seq", { ...job, adapter: ADAPTER, modes: MODES });
  const peer = modes && { name: "PyTorch + adapters", modes, packages: PACKAGES };
  const ours = ourSide("seq2seq", { ...job, compute, memory });
  const work = `${shape}, ${length} tokens in and ${targets} out`;
  return compare({ figure: "tokens_per_second", unit: "tokens/s", work, ours, peer }, setup);
}

const PACKAGES = ["adapters", "transformers", "torch"];
// adapters asks for an older transformers than the peers of the other benches: an environment of its own.
const NO_PEER =
  "seq2seq: no peer was measured; for one, python3 -m venv DIR, " +
  "DIR/bin/pip install -r bench/peers/requirements-seq2seq.txt, and give --venv DIR";
