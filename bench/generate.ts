// Greedy decoding after a long prompt: prefill and decoding in tokens/s. Random weights unless --model gives real ones.
// The other peer worth having, node-llama-cpp, is no dependency of this package and is not measured.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { OptionTable, Values } from "../src/base/options.ts";
import { compare, explainMissingPeer, ourSide, peerModes } from "./arms.ts";
import { type Bench, type BenchResult, type BenchSetup, rounded } from "./measure.ts";

const generateBenchOptions = {
  model: {
    type: "string",
    default: null,
    help: "Model folder or .gguf file [random weights]",
    value: "PATH",
  },
  shape: { type: "string", default: "smollm2-135m", help: "Shape of the random model", value: "NAME" },
  prompt: { type: "integer", default: 1037, help: "Tokens of the prompt", value: "N" },
  tokens: { type: "integer", default: 64, help: "Tokens to decode", value: "N" },
  steps: { type: "integer", default: 1, help: "Measured answers of a run, after a short one", value: "N" },
  threads: { type: "integer", default: 2, help: "Threads of both sides", value: "N" },
} as const satisfies OptionTable;

const MODES = ["f32", "bf16"];

export const bench: Bench = {
  name: "generate",
  summary:
    "tokens/s of greedy decoding, against transformers (node-llama-cpp is not measured: it is not installed)",
  options: generateBenchOptions,
  takes: null,
  runs: 5,
  run: runGenerate,
};

async function runGenerate(setup: BenchSetup): Promise<BenchResult> {
  const { shape, prompt, tokens, steps, threads, ...given } = setup.values as Values<
    typeof generateBenchOptions
  >;
  const model = given.model === null ? null : resolve(given.model);
  const job = { model, shape, prompt, tokens, steps, threads };
  const ours = ourSide("generate", job);
  const work = `answers of ${tokens} tokens to ${prompt}`;
  const result = await compare(
    { figure: "decoding", unit: "tokens/s", work, ours, peer: peerOf(setup, job) },
    setup,
  );
  return { ...result, details: { ...result.details, prefill: prefillOf(result) } };
}

function peerOf({ venv, log }: BenchSetup, job: { readonly model: string | null }) {
  if (venv === null) {
    log(explainMissingPeer("generate"));
    return null;
  }
  if (job.model !== null && !statSync(job.model, { throwIfNoEntry: false })?.isDirectory()) {
    log("generate: no peer was measured; it reads model folders only, so give --model a folder");
    return null;
  }
  const modes = peerModes(venv, "generate", { ...job, modes: MODES });
  return { name: "transformers", modes, packages: ["torch", "transformers"] };
}

/** The second figure of the same runs, as the first is written. */
function prefillOf({ details }: BenchResult) {
  const { ours, theirs } = details as Record<"ours" | "theirs", Record<string, number> | null>;
  const [value, peer_value] = [ours!.prefill!, theirs?.prefill ?? null];
  return {
    value,
    unit: "tokens/s",
    peer_value,
    ratio: peer_value === null ? null : rounded(value / peer_value),
  };
}
